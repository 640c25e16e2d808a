//! Where whoever would change a disk that does not answer is kept waiting.

use std::sync::{Condvar, Mutex, PoisonError};

/// See the head of this file.
#[derive(Debug, Default)]
pub(super) struct Hang {
    hangs: Mutex<bool>,
    ended: Condvar,
}

impl Hang {
    fn set(&self, hangs: bool) {
        *self.hangs.lock().unwrap_or_else(PoisonError::into_inner) = hangs;
        self.ended.notify_all();
    }

    pub(super) fn begin(&self) {
        self.set(true);
    }

    pub(super) fn end(&self) {
        self.set(false);
    }

    pub(super) fn wait(&self) {
        let hangs = self.hangs.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.ended.wait_while(hangs, |hangs| *hangs));
    }
}
