//! Who in a group gets which partition: computed by the member that leads the group, in the ways
//! that Kafka's Java client knows under the same names, so that groups can be mixed. Pure.

use std::collections::{BTreeMap, HashMap};

use protocol::{MemberId, PartitionIndex, TopicName, TopicPartition};

/// A way to divide partitions among members (`partition.assignment.strategy`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Assignor {
    /// Topic by topic, neighbouring partitions to one member: equal numbers of several topics go
    /// to the same member.
    Range,
    /// All partitions in turn: counts differ by at most one where all members have the same
    /// topics.
    RoundRobin,
}

/// A member as it presented itself when it joined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct JoinedMember {
    pub(crate) member: MemberId,
    pub(crate) instance: Option<String>,
    pub(crate) topics: Vec<TopicName>,
}

/// The partitions of each member.
pub(crate) type Assignments = HashMap<MemberId, Vec<TopicPartition>>;

impl Assignor {
    const ALL: [Self; 2] = [Self::Range, Self::RoundRobin];

    /// The name that members agree by.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Range => "range",
            Self::RoundRobin => "roundrobin",
        }
    }

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|assignor| assignor.name() == name)
    }

    /// Divides the partitions of the topics (their counts) among those subscribed to them. Every
    /// member has a row, if an empty one.
    pub(crate) fn assign(
        self,
        mut members: Vec<JoinedMember>,
        topics: &BTreeMap<TopicName, usize>,
    ) -> Assignments {
        // Java's order: static members by their instance, before the others by their id
        members.sort_by(|left, right| {
            let key = |member: &JoinedMember| (member.instance.is_none(), member.instance.clone());
            key(left).cmp(&key(right)).then_with(|| left.member.cmp(&right.member))
        });
        let mut assignments: Assignments =
            members.iter().map(|member| (member.member.clone(), Vec::new())).collect();
        let pairs = match self {
            Self::Range => range(&members, topics),
            Self::RoundRobin => round_robin(&members, topics),
        };
        for (member, partition) in pairs {
            if let Some(row) = assignments.get_mut(&member.member) {
                row.push(partition);
            }
        }
        assignments
    }
}

type Pairs<'a> = Vec<(&'a JoinedMember, TopicPartition)>;

fn partition(topic: &TopicName, index: usize) -> TopicPartition {
    TopicPartition::new(topic.clone(), PartitionIndex(i32::try_from(index).unwrap_or(i32::MAX)))
}

fn range<'a>(members: &'a [JoinedMember], topics: &BTreeMap<TopicName, usize>) -> Pairs<'a> {
    let mut pairs = Vec::new();
    for (topic, partitions) in topics {
        let subscribed: Vec<_> =
            members.iter().filter(|member| member.topics.contains(topic)).collect();
        let Some(each) = partitions.checked_div(subscribed.len()) else { continue };
        let one_more = partitions % subscribed.len();
        let mut next = 0;
        for (place, member) in subscribed.into_iter().enumerate() {
            let end = next + each + usize::from(place < one_more);
            pairs.extend((next..end).map(|index| (member, partition(topic, index))));
            next = end;
        }
    }
    pairs
}

fn round_robin<'a>(members: &'a [JoinedMember], topics: &BTreeMap<TopicName, usize>) -> Pairs<'a> {
    let mut pairs = Vec::new();
    let mut turn = 0;
    for (topic, partitions) in topics {
        if !members.iter().any(|member| member.topics.contains(topic)) {
            continue;
        }
        for index in 0..*partitions {
            let mut in_turn = members.iter().cycle().skip(turn % members.len());
            let passed = in_turn.position(|member| member.topics.contains(topic)).unwrap_or(0);
            let chosen = (turn + passed) % members.len();
            pairs.push((&members[chosen], partition(topic, index)));
            turn = chosen + 1;
        }
    }
    pairs
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::{any, prop, prop_assert, prop_assert_eq, proptest};
    use protocol::{MemberId, TopicName};

    use super::{Assignments, Assignor, JoinedMember};

    fn name(topic: &str) -> TopicName {
        TopicName::new(topic).unwrap()
    }

    fn member(id: &str, topics: &[&str]) -> JoinedMember {
        let topics = topics.iter().map(|topic| name(topic)).collect();
        JoinedMember { member: MemberId::new(id), instance: None, topics }
    }

    fn topics(counts: &[(&str, usize)]) -> BTreeMap<TopicName, usize> {
        counts.iter().map(|(topic, count)| (name(topic), *count)).collect()
    }

    fn of(assignments: &Assignments, id: &str) -> Vec<String> {
        assignments[&MemberId::new(id)].iter().map(ToString::to_string).collect()
    }

    #[test]
    fn range_gives_neighbours_to_one_member_and_the_rest_to_the_first() {
        let members = vec![member("c1", &["a", "b"]), member("c0", &["a", "b"])];
        let assigned = Assignor::Range.assign(members, &topics(&[("a", 3), ("b", 3)]));
        assert_eq!(of(&assigned, "c0"), ["a-0", "a-1", "b-0", "b-1"]);
        assert_eq!(of(&assigned, "c1"), ["a-2", "b-2"]);
    }

    #[test]
    fn round_robin_goes_on_over_the_topics() {
        let members = vec![member("c0", &["a", "b"]), member("c1", &["a", "b"])];
        let assigned = Assignor::RoundRobin.assign(members, &topics(&[("a", 3), ("b", 3)]));
        assert_eq!(of(&assigned, "c0"), ["a-0", "a-2", "b-1"]);
        assert_eq!(of(&assigned, "c1"), ["a-1", "b-0", "b-2"]);
    }

    #[test]
    fn round_robin_passes_over_members_without_the_topic() {
        // the example of the Java assignor's documentation
        let members = vec![
            member("c0", &["t0"]),
            member("c1", &["t0", "t1"]),
            member("c2", &["t0", "t1", "t2"]),
        ];
        let counts = topics(&[("t0", 1), ("t1", 2), ("t2", 3)]);
        let assigned = Assignor::RoundRobin.assign(members, &counts);
        assert_eq!(of(&assigned, "c0"), ["t0-0"]);
        assert_eq!(of(&assigned, "c1"), ["t1-0"]);
        assert_eq!(of(&assigned, "c2"), ["t1-1", "t2-0", "t2-1", "t2-2"]);
    }

    #[test]
    fn static_members_come_first_by_their_instance() {
        let mut fixed = member("z", &["a"]);
        fixed.instance = Some("i".to_owned());
        let members = vec![member("b", &["a"]), fixed, member("c", &[])];
        let assigned = Assignor::Range.assign(members, &topics(&[("a", 1)]));
        assert_eq!(of(&assigned, "z"), ["a-0"]);
        assert!(of(&assigned, "b").is_empty() && of(&assigned, "c").is_empty());
    }

    proptest! {
        #[test]
        fn every_subscribed_partition_has_exactly_one_owner(
            subscriptions in prop::collection::vec(any::<u8>(), 0..8),
            counts in prop::collection::vec(0_usize..20, 8),
        ) {
            let names: Vec<String> = (0..8).map(|topic| format!("t{topic}")).collect();
            let counts: BTreeMap<_, _> =
                names.iter().zip(counts).map(|(topic, count)| (name(topic), count)).collect();
            let members: Vec<_> = subscriptions.iter().enumerate().map(|(index, bits)| {
                let topics: Vec<&str> = (0..8)
                    .filter(|topic| bits >> topic & 1 == 1)
                    .map(|topic| names[topic].as_str())
                    .collect();
                member(&format!("m{index}"), &topics)
            }).collect();
            let wanted: usize = counts.iter()
                .filter(|(topic, _)| members.iter().any(|member| member.topics.contains(topic)))
                .map(|(_, count)| count)
                .sum();
            for assignor in Assignor::ALL {
                let assigned = assignor.assign(members.clone(), &counts);
                prop_assert_eq!(assigned.len(), members.len());
                let mut owned: Vec<_> = assigned.values().flatten().collect();
                prop_assert_eq!(owned.len(), wanted);
                owned.sort();
                owned.dedup();
                prop_assert_eq!(owned.len(), wanted);
                for member in &members {
                    let mut partitions = assigned[&member.member].iter();
                    prop_assert!(partitions.all(|owned| member.topics.contains(&owned.topic)));
                }
            }
        }
    }
}
