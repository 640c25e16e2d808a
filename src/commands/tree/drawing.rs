//! The tree as lines of text.
//!
//! ```text
//! node                       running      3d 4h  rest_for_one
//! ├── partitions             running      3d 4h
//! │   └── orders-0           running        12s  restarts 2  depth 0  last: panicked at …
//! ```

use std::fmt::Write;

use supervision::{NodeKind, NodeState, Strategy, TreeNode};

/// Of more children than this that just run, only the first are shown.
const CHILDREN_SHOWN: usize = 20;

/// How to draw.
pub struct Drawing {
    /// The time now, in milliseconds since 1970.
    pub now_unix_millis: u64,
    /// Whether states have colours.
    pub is_coloured: bool,
    /// Whether every child is shown.
    pub shows_all: bool,
}

/// A line to be: what stands to the left of the columns, and the rest.
struct Line {
    left: String,
    right: String,
}

impl Drawing {
    /// The tree, without a line feed at its end.
    pub fn draw(&self, root: &TreeNode) -> String {
        let mut lines = vec![Line { left: root.id.clone(), right: self.columns(root) }];
        self.draw_children(root, "", &mut lines);
        let width = lines.iter().map(|line| line.left.chars().count()).max().unwrap_or(0);
        let lines = lines.into_iter().map(|Line { left, right }| match right.as_str() {
            "" => left,
            right => format!("{left:width$}  {right}"),
        });
        lines.collect::<Vec<_>>().join("\n")
    }

    /// The depth is that of the supervision tree, which is a handful.
    fn draw_children(&self, node: &TreeNode, indent: &str, lines: &mut Vec<Line>) {
        let shown = self.shown(node);
        let hidden = node.children.len() - shown.len();
        for (place, child) in shown.iter().enumerate() {
            let is_last = place + 1 == shown.len() && hidden == 0;
            let (branch, below) =
                if is_last { ("└── ", "    ") } else { ("├── ", "│   ") };
            let left = format!("{indent}{branch}{}", child.id);
            lines.push(Line { left, right: self.columns(child) });
            self.draw_children(child, &format!("{indent}{below}"), lines);
        }
        if hidden > 0 {
            let left = format!("{indent}└── … and {hidden} more that run");
            lines.push(Line { left, right: String::new() });
        }
    }

    /// All children, or the first few and those that something is to be said of. Children that
    /// come and go are in the order of their names and numbers, the broker's own last.
    fn shown<'a>(&self, node: &'a TreeNode) -> Vec<&'a TreeNode> {
        let mut children: Vec<_> = node.children.iter().collect();
        if node.kind == NodeKind::DynamicSupervisor {
            children.sort_by_key(|child| place_among_siblings(&child.id));
        }
        if self.shows_all || children.len() <= CHILDREN_SHOWN {
            return children;
        }
        let children = children.into_iter().enumerate();
        let shown =
            children.filter(|(place, child)| *place < CHILDREN_SHOWN || is_remarkable(child));
        shown.map(|(_, child)| child).collect()
    }

    fn columns(&self, node: &TreeNode) -> String {
        let since = self.now_unix_millis.saturating_sub(node.since_unix_millis);
        let state = self.coloured(node.state, &format!("{:<11}", state_name(node.state)));
        let mut text = format!("{state} {:>7}", span(since));
        let mut add = |part: std::fmt::Arguments<'_>| {
            text.push_str("  ");
            // a text takes whatever it is given
            let _ = text.write_fmt(part);
        };
        if let NodeState::BackingOff { until_unix_millis } = node.state {
            let left = until_unix_millis.saturating_sub(self.now_unix_millis);
            add(format_args!("starts in {left} ms"));
        }
        if let NodeKind::Supervisor(strategy) = node.kind {
            add(format_args!("{}", strategy_name(strategy)));
        }
        if let Some(depth) = node.mailbox_depth {
            add(format_args!("depth {depth}"));
        }
        if node.restarts > 0 {
            add(format_args!("restarts {}", node.restarts));
        }
        if let Some(reason) = &node.last_exit {
            // one line a node, whatever an error has to say
            let reason = reason.to_string().replace(['\n', '\r', '\x1b'], " ");
            add(format_args!("last: {reason}"));
        }
        for (name, value) in &node.status {
            add(format_args!("{name}={value}"));
        }
        text
    }

    fn coloured(&self, state: NodeState, text: &str) -> String {
        let colour = match state {
            NodeState::Running => "32",
            NodeState::Starting | NodeState::Stopping | NodeState::BackingOff { .. } => "33",
            NodeState::Quarantined => "1;31",
            NodeState::Stopped => "2",
        };
        match self.is_coloured {
            true => format!("\x1b[{colour}m{text}\x1b[0m"),
            false => text.to_owned(),
        }
    }
}

/// Whether it is internal, its name, and the number at the end of its name.
fn place_among_siblings(id: &str) -> (bool, &str, u64) {
    let name = id.trim_end_matches(|last: char| last.is_ascii_digit());
    let number = id.get(name.len()..).and_then(|digits| digits.parse().ok());
    (id.starts_with("__"), name, number.unwrap_or(0))
}

fn is_remarkable(node: &TreeNode) -> bool {
    node.state != NodeState::Running
        || node.restarts > 0
        || node.mailbox_depth.is_some_and(|depth| depth > 0)
        || node.children.iter().any(is_remarkable)
}

const fn state_name(state: NodeState) -> &'static str {
    match state {
        NodeState::Starting => "starting",
        NodeState::Running => "running",
        NodeState::BackingOff { .. } => "backing off",
        NodeState::Quarantined => "quarantined",
        NodeState::Stopping => "stopping",
        NodeState::Stopped => "stopped",
    }
}

const fn strategy_name(strategy: Strategy) -> &'static str {
    match strategy {
        Strategy::OneForOne => "one_for_one",
        Strategy::OneForAll => "one_for_all",
        Strategy::RestForOne => "rest_for_one",
    }
}

/// How long, in the two largest units.
fn span(milliseconds: u64) -> String {
    let seconds = milliseconds / 1000;
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds}s"),
        (0, 0, _) => format!("{minutes}m {}s", seconds % 60),
        (0, _, _) => format!("{hours}h {}m", minutes % 60),
        _ => format!("{days}d {}h", hours % 24),
    }
}

#[cfg(test)]
mod tests {
    use supervision::ExitReason;

    use super::*;

    fn node(id: &str, children: Vec<TreeNode>) -> TreeNode {
        TreeNode {
            id: id.to_owned(),
            kind: NodeKind::Worker,
            state: NodeState::Running,
            since_unix_millis: 1000,
            restarts: 0,
            last_exit: None,
            mailbox_depth: None,
            status: std::collections::BTreeMap::new(),
            children,
        }
    }

    fn drawing(is_coloured: bool) -> Drawing {
        Drawing { now_unix_millis: 66_000, is_coloured, shows_all: false }
    }

    #[test]
    fn a_node_is_drawn_with_everything_that_is_known_of_it() {
        let mut failed = node("orders-0", Vec::new());
        failed.state = NodeState::BackingOff { until_unix_millis: 66_250 };
        failed.restarts = 2;
        failed.mailbox_depth = Some(3);
        failed.last_exit = Some(ExitReason::Failed("no\nspace".to_owned()));
        failed.status.insert("epoch".to_owned(), "4".to_owned());
        let mut root = node("node", vec![node("partitions", vec![failed]), node("admin", vec![])]);
        root.kind = NodeKind::Supervisor(Strategy::RestForOne);
        let expected = "\
node              running       1m 5s  rest_for_one
├── partitions    running       1m 5s
│   └── orders-0  backing off   1m 5s  starts in 250 ms  depth 3  restarts 2  \
last: failed: no space  epoch=4
└── admin         running       1m 5s";
        assert_eq!(drawing(false).draw(&root), expected);
        assert!(drawing(true).draw(&root).contains("\x1b[33mbacking off\x1b[0m"));
    }

    #[test]
    fn of_many_children_only_the_first_and_the_remarkable_are_drawn() {
        let mut children: Vec<_> = (0..100).map(|i| node(&format!("p-{i}"), vec![])).collect();
        children[77].restarts = 1;
        let root = node("partitions", children);
        let text = drawing(false).draw(&root);
        assert!(text.contains("p-19 ") && text.contains("p-77 "), "{text}");
        assert!(!text.contains("p-20 "), "{text}");
        assert!(text.ends_with("└── … and 79 more that run"), "{text}");
        let all = Drawing { shows_all: true, ..drawing(false) };
        assert_eq!(all.draw(&root).lines().count(), 101);
    }

    #[test]
    fn children_that_come_and_go_are_in_the_order_of_their_numbers() {
        let names = ["__offsets-1", "a-10", "a-9", "b"];
        let mut root = node("partitions", names.map(|name| node(name, vec![])).to_vec());
        root.kind = NodeKind::DynamicSupervisor;
        let shown = drawing(false).shown(&root);
        let order: Vec<_> = shown.iter().map(|child| child.id.as_str()).collect();
        assert_eq!(order, ["a-9", "a-10", "b", "__offsets-1"]);
    }

    #[test]
    fn spans_have_two_units() {
        let cases = [(0, "0s"), (59_999, "59s"), (60_000, "1m 0s"), (7_260_000, "2h 1m")];
        for (milliseconds, expected) in cases {
            assert_eq!(span(milliseconds), expected);
        }
        assert_eq!(span(90_000_000), "1d 1h");
    }
}
