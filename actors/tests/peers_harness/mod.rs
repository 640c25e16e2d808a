//! Two worlds of nodes that only have peers: in memory, under a paused clock; and as processes of
//! their own with real sockets, because ractor's registries are process-wide.

pub mod memory_world;
pub mod node_process;
pub mod process_world;
pub mod question;

use std::time::Duration;

use actors::ports::peers::Lane;
use metadata::Incarnation;

/// Long enough for everything that is not meant to take long.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// What became of a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The answer's length, or the name of the error.
    pub answer: Result<usize, String>,
    pub took: Duration,
}

/// Nodes and what can be done to them.
pub trait World {
    /// Starts a node, or starts it again, perhaps while an earlier start of it still hangs.
    async fn start(&mut self, node: i32) -> Incarnation;
    /// Tells a node where others are.
    async fn introduce(&self, node: i32, others: &[i32]);
    /// Asks what `question` makes of these words; see there.
    async fn ask(&self, from: i32, to: (i32, Lane), words: &str, deadline: Duration) -> Outcome;
    /// Waits until a node's link to another leads to this start of it, or to none; how long.
    async fn linked(&self, from: i32, to: i32, start: Option<Incarnation>) -> Duration;
    /// Ends a node without a word.
    async fn kill(&mut self, node: i32);
    /// Stops a node in the middle of what it does.
    async fn freeze(&self, node: i32);
    /// Lets it go on.
    async fn thaw(&self, node: i32);
    /// Ends an actor of a node, if it has one of that name; its supervisor starts it again.
    async fn kill_actor(&self, node: i32, actor: &str);

    /// Two nodes that are linked.
    async fn pair(&mut self) -> (Incarnation, Incarnation) {
        let (one, two) = (self.start(1).await, self.start(2).await);
        self.introduce(1, &[2]).await;
        self.introduce(2, &[1]).await;
        self.linked(1, 2, Some(two)).await;
        self.linked(2, 1, Some(one)).await;
        (one, two)
    }
}
