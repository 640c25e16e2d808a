//! Port: where blocking file work runs. Never on the runtime's workers: a slow disk would stop
//! heartbeats with it.
//!
//! The real one is a fixed set of *storage threads*, on which segment writers live as thread-local
//! actors and call the disk directly; a bounded *flush pool*, so that writes go on while a flush is
//! under way; and a pool for reads that miss the page cache, recovery and maintenance. The simulated
//! one does everything at once, on the caller's thread, because other threads would break
//! determinism.

use std::io;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;

use ractor::thread_local::ThreadLocalActorSpawner;
use tokio::sync::oneshot;

/// A piece of blocking work.
pub type Job = Box<dyn FnOnce() + Send>;

/// Runs blocking file work.
pub trait StorageExecutor: Send + Sync {
    /// Where the segment writer of the partition with this hash lives; `None` if as an ordinary
    /// actor. The same hash always gets the same thread.
    fn writer_thread(&self, hash: u64) -> Option<ThreadLocalActorSpawner>;

    /// Runs a flush. At most one per log is given at a time, so the queue is bounded by the number
    /// of active logs.
    fn flush(&self, job: Job);

    /// Runs any other blocking work. Whoever gives it holds a bound on how much.
    fn run(&self, job: Job);

    /// Whether a job that has not begun waits for the disk, and for nothing else. Threads have
    /// queues; only where the disk is simulated its slowness may come before the job.
    fn jobs_wait_for_the_disk(&self) -> bool {
        false
    }
}

/// Runs `work` on the executor and waits for what it gives. `None` if it panicked.
pub async fn run_blocking<T: Send + 'static>(
    executor: &dyn StorageExecutor,
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    let (answer, result) = oneshot::channel();
    executor.run(Box::new(move || {
        let _ = answer.send(work());
    }));
    result.await.ok()
}

/// The real executor.
pub struct StorageThreads {
    writers: Vec<ThreadLocalActorSpawner>,
    flushes: Pool,
    jobs: Pool,
}

impl StorageThreads {
    /// Starts the threads: `writers` that segment writers live on, and `pool` each for flushes and
    /// for other work. Both are raised to at least one.
    ///
    /// # Errors
    /// When the system refuses a thread.
    pub fn start(writers: usize, pool: usize) -> io::Result<Self> {
        Ok(Self {
            writers: (0..writers.max(1)).map(|_| ThreadLocalActorSpawner::new()).collect(),
            flushes: Pool::start("flush", pool.max(1))?,
            jobs: Pool::start("storage", pool.max(1))?,
        })
    }
}

impl StorageExecutor for StorageThreads {
    fn writer_thread(&self, hash: u64) -> Option<ThreadLocalActorSpawner> {
        let index = usize::try_from(hash % self.writers.len() as u64).unwrap_or_default();
        self.writers.get(index).cloned()
    }

    fn flush(&self, job: Job) {
        self.flushes.give(job);
    }

    fn run(&self, job: Job) {
        self.jobs.give(job);
    }
}

/// Threads that share one queue. They end when the pool is dropped.
struct Pool {
    queue: Sender<Job>,
}

impl Pool {
    fn start(name: &str, threads: usize) -> io::Result<Self> {
        let (queue, jobs) = channel();
        let jobs = Arc::new(Mutex::new(jobs));
        for number in 0..threads {
            let jobs = Arc::clone(&jobs);
            thread::Builder::new()
                .name(format!("{name}-{number}"))
                .spawn(move || work_off(&jobs))?;
        }
        Ok(Self { queue })
    }

    fn give(&self, job: Job) {
        // the threads outlive the queue's only sender, so this cannot fail while the pool stands
        let _ = self.queue.send(job);
    }
}

fn work_off(jobs: &Mutex<Receiver<Job>>) {
    loop {
        let next = jobs.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).recv();
        let Ok(job) = next else { return };
        // a job that panics takes its answer port with it, and whoever waits sees that; the thread
        // serves other partitions and must live on
        let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(job));
    }
}

/// The simulated executor: everything happens at once, where it was asked for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Inline;

impl StorageExecutor for Inline {
    fn writer_thread(&self, _hash: u64) -> Option<ThreadLocalActorSpawner> {
        None
    }

    fn flush(&self, job: Job) {
        job();
    }

    fn run(&self, job: Job) {
        job();
    }
}
