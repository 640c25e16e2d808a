//! The tree as lines of text.
//!
//! ```text
//! node                       running      3d 4h  rest_for_one
//! ├── partitions             running      3d 4h
//! │   └── orders-0           running        12s  restarts 2  depth 0  last: panicked at …
//! ```

use std::fmt::Write;

use actors::cluster_tree::{ClusterTree, NodeTree};
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
        let root = self.ordered(root);
        let mut lines = vec![Line { left: root.id.clone(), right: self.columns(&root) }];
        self.draw_children(&root, "", &mut lines);
        align(&lines)
    }

    /// The trees of all nodes; that of a node which is alone stands by itself.
    pub fn draw_cluster(&self, cluster: &ClusterTree) -> String {
        if let [NodeTree { tree: Some(tree), .. }] = &*cluster.nodes {
            return self.draw(tree);
        }
        let left = format!("cluster {}", cluster.cluster_id);
        let mut lines = vec![Line { left, right: String::new() }];
        let speaks = |node: &&NodeTree| node.tree.is_some() || node.trouble.is_some();
        let nodes: Vec<_> = cluster.nodes.iter().filter(speaks).collect();
        for (place, node) in nodes.iter().enumerate() {
            self.draw_node(node, place + 1 == nodes.len(), &mut lines);
        }
        align(&lines)
    }

    fn draw_node(&self, node: &NodeTree, is_last: bool, lines: &mut Vec<Line>) {
        let (branch, below) = branches(is_last);
        let Some(tree) = node.tree.as_ref().map(|tree| self.ordered(tree)) else {
            let left = format!("{branch}node {}", node.node);
            let right = self.painted("1;31", node.trouble.as_deref().unwrap_or_default());
            lines.push(Line { left, right });
            return;
        };
        let part = if tree.id == "node" { String::new() } else { format!(" {}", tree.id) };
        let mut right = self.columns(&tree);
        if node.leads_quorum {
            right.push_str("  leads the quorum");
        }
        if node.is_fenced {
            right.push_str(&format!("  {}", self.painted("1;31", "fenced")));
        }
        lines.push(Line { left: format!("{branch}node {}{part}", node.node), right });
        self.draw_children(&tree, below, lines);
    }

    /// The depth is that of the supervision tree, which is a handful.
    fn draw_children(&self, node: &TreeNode, indent: &str, lines: &mut Vec<Line>) {
        for (place, child) in node.children.iter().enumerate() {
            let is_last = place + 1 == node.children.len() && node.omitted == 0;
            let (branch, below) = branches(is_last);
            let left = format!("{indent}{branch}{}", child.id);
            lines.push(Line { left, right: self.columns(child) });
            self.draw_children(child, &format!("{indent}{below}"), lines);
        }
        if node.omitted > 0 {
            let left = format!("{indent}└── … and {} more that run", node.omitted);
            lines.push(Line { left, right: String::new() });
        }
    }

    fn ordered(&self, root: &TreeNode) -> TreeNode {
        root.clone().shortened(if self.shows_all { usize::MAX } else { CHILDREN_SHOWN })
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
        self.painted(colour, text)
    }

    fn painted(&self, colour: &str, text: &str) -> String {
        match self.is_coloured {
            true => format!("\x1b[{colour}m{text}\x1b[0m"),
            false => text.to_owned(),
        }
    }
}

const fn branches(is_last: bool) -> (&'static str, &'static str) {
    if is_last { ("└── ", "    ") } else { ("├── ", "│   ") }
}

/// The right parts stand below each other.
fn align(lines: &[Line]) -> String {
    let width = lines.iter().map(|line| line.left.chars().count()).max().unwrap_or(0);
    let lines = lines.iter().map(|Line { left, right }| match right.as_str() {
        "" => left.clone(),
        right => format!("{left:width$}  {right}"),
    });
    lines.collect::<Vec<_>>().join("\n")
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
            omitted: 0,
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
    fn a_cluster_is_drawn_with_its_leader_and_with_who_does_not_answer() {
        let shown = |number, tree: Option<TreeNode>| NodeTree {
            node: number,
            is_fenced: tree.is_none(),
            leads_quorum: number == 1,
            trouble: tree.is_none().then(|| format!("no link to node {number}")),
            tree,
        };
        let tree = node("node", vec![node("admin", vec![])]);
        let nodes = vec![shown(1, Some(tree)), shown(2, None)];
        let cluster = ClusterTree { cluster_id: "c-1".to_owned(), nodes };
        let expected = "\
cluster c-1
├── node 1     running       1m 5s  leads the quorum
│   └── admin  running       1m 5s
└── node 2     no link to node 2";
        assert_eq!(drawing(false).draw_cluster(&cluster), expected);
    }

    #[test]
    fn a_node_that_is_alone_is_drawn_without_a_cluster() {
        let tree = node("node", vec![node("admin", vec![])]);
        let alone = drawing(false).draw(&tree);
        let (is_fenced, leads_quorum, trouble) = (false, true, None);
        let nodes = vec![NodeTree { node: 1, is_fenced, leads_quorum, tree: Some(tree), trouble }];
        let cluster = ClusterTree { cluster_id: "c-1".to_owned(), nodes };
        assert_eq!(drawing(false).draw_cluster(&cluster), alone);
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
