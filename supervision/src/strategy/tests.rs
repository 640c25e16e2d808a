//! A small company of children is driven by the strategy alone, through failures in random order:
//! if a step came at the wrong time, siblings would run beside a dead neighbour, or never again.

use super::{AutoShutdown, NextSteps, Sibling, Standing, Strategy, next_steps};
use proptest::prelude::{Just, Strategy as Generator, any, prop_assert, prop_oneof, proptest};
use proptest::test_runner::TestCaseError;

/// A supervisor without actors: steps take effect when the test says so.
struct Company {
    strategy: Strategy,
    siblings: Vec<Sibling>,
    diary: Vec<String>,
}

impl Company {
    fn new(strategy: Strategy, count: usize) -> Self {
        let idle = Sibling { standing: Standing::Waiting, condemned: false, has_run: false };
        Self { strategy, siblings: vec![idle; count], diary: Vec::new() }
    }

    fn running(strategy: Strategy, count: usize) -> Self {
        let mut company = Self::new(strategy, count);
        company.settle();
        company.diary.clear();
        company
    }

    fn advance(&mut self) -> NextSteps {
        let steps = next_steps(self.strategy, &self.siblings);
        if let Some(index) = steps.stop {
            self.siblings[index].standing = Standing::Stopping;
            self.diary.push(format!("stop {index}"));
        }
        for &index in &steps.start {
            self.siblings[index].standing = Standing::Starting;
            self.diary.push(format!("start {index}"));
        }
        steps
    }

    /// One child finishes what it is doing; false: it was doing nothing.
    fn finish(&mut self, index: usize) -> bool {
        let sibling = &mut self.siblings[index];
        match sibling.standing {
            Standing::Starting => {
                sibling.standing = Standing::Up;
                sibling.has_run = true;
            }
            Standing::Stopping => {
                sibling.standing = Standing::Waiting;
                sibling.condemned = false;
            }
            Standing::Waiting | Standing::Up | Standing::Ended => return false,
        }
        true
    }

    /// A child fails, or its start does.
    fn fail(&mut self, index: usize) -> bool {
        if !matches!(self.siblings[index].standing, Standing::Up | Standing::Starting) {
            return false;
        }
        self.siblings[index].standing = Standing::Waiting;
        self.siblings[index].condemned = false;
        for sibling in self.strategy.affected(index, self.siblings.len()) {
            if sibling != index && self.siblings[sibling].is_alive() {
                self.siblings[sibling].condemned = true;
            }
        }
        true
    }

    fn settle(&mut self) {
        for _ in 0..10 * self.siblings.len() + 10 {
            self.advance();
            for index in 0..self.siblings.len() {
                self.finish(index);
            }
        }
    }

    fn check_order(&self) -> Result<(), TestCaseError> {
        if self.strategy == Strategy::OneForOne {
            return Ok(());
        }
        for (index, sibling) in self.siblings.iter().enumerate() {
            let before = &self.siblings[..index];
            if sibling.standing == Standing::Starting && !sibling.condemned {
                prop_assert!(before.iter().all(|it| it.standing == Standing::Up));
            }
            if sibling.standing == Standing::Stopping {
                let after = &self.siblings[index + 1..];
                prop_assert!(after.iter().all(|it| !(it.condemned && it.is_alive())));
            }
        }
        Ok(())
    }
}

#[test]
fn children_start_one_after_the_other() {
    for strategy in [Strategy::OneForOne, Strategy::OneForAll, Strategy::RestForOne] {
        let mut company = Company::new(strategy, 3);
        for index in 0..3 {
            assert_eq!(company.advance(), NextSteps { stop: None, start: vec![index] });
            assert_eq!(company.advance(), NextSteps::default());
            company.finish(index);
        }
        assert_eq!(company.advance(), NextSteps::default());
    }
}

#[test]
fn one_for_one_leaves_the_siblings_alone() {
    let mut company = Company::running(Strategy::OneForOne, 3);
    company.fail(1);
    company.settle();
    assert_eq!(company.diary, ["start 1"]);
}

#[test]
fn one_for_one_restarts_several_at_once() {
    let mut company = Company::running(Strategy::OneForOne, 3);
    company.fail(0);
    company.fail(2);
    assert_eq!(company.advance().start, [0, 2]);
}

#[test]
fn one_for_all_stops_all_last_first_and_starts_all_first_first() {
    let mut company = Company::running(Strategy::OneForAll, 4);
    company.fail(1);
    company.settle();
    let expected = ["stop 3", "stop 2", "stop 0", "start 0", "start 1", "start 2", "start 3"];
    assert_eq!(company.diary, expected);
}

#[test]
fn rest_for_one_leaves_those_before_alone() {
    let mut company = Company::running(Strategy::RestForOne, 4);
    company.fail(1);
    company.settle();
    assert_eq!(company.diary, ["stop 3", "stop 2", "start 1", "start 2", "start 3"]);
}

#[test]
fn a_child_that_has_ended_holds_nobody_up() {
    for strategy in [Strategy::OneForOne, Strategy::OneForAll, Strategy::RestForOne] {
        let mut company = Company::new(strategy, 2);
        company.siblings[0].standing = Standing::Ended;
        assert_eq!(company.advance().start, [1]);
    }
}

#[test]
fn significant_children_end_their_supervisor_as_it_says() {
    let cases = [
        (AutoShutdown::Never, vec![true, true], false),
        (AutoShutdown::AnySignificant, vec![false, true], true),
        (AutoShutdown::AnySignificant, vec![false], false),
        (AutoShutdown::AllSignificant, vec![false, true], false),
        (AutoShutdown::AllSignificant, vec![true, true], true),
        (AutoShutdown::AllSignificant, vec![], false),
    ];
    for (rule, ended, expected) in cases {
        assert_eq!(rule.must_shut_down(ended.clone()), expected, "{rule:?} {ended:?}");
    }
}

fn strategies() -> impl Generator<Value = Strategy> {
    prop_oneof![Just(Strategy::OneForOne), Just(Strategy::OneForAll), Just(Strategy::RestForOne)]
}

proptest! {
    #[test]
    fn whatever_fails_and_whenever_all_run_again_and_in_order(
        strategy in strategies(),
        count in 1_usize..7,
        events in proptest::collection::vec((any::<bool>(), 0_usize..7), 0..60),
    ) {
        let mut company = Company::new(strategy, count);
        for (fails, index) in events {
            let index = index % count;
            if fails {
                company.fail(index);
            } else {
                company.finish(index);
            }
            company.advance();
            company.check_order()?;
        }
        company.settle();
        prop_assert!(company.siblings.iter().all(|sibling| sibling.standing == Standing::Up));
        prop_assert!(company.siblings.iter().all(|sibling| !sibling.condemned));
    }

    #[test]
    fn one_failure_touches_exactly_the_affected(
        strategy in strategies(),
        count in 1_usize..7,
        failed in 0_usize..7,
    ) {
        let failed = failed % count;
        let mut company = Company::running(strategy, count);
        company.fail(failed);
        company.settle();
        for index in 0..count {
            let affected = strategy.affected(failed, count).contains(&index);
            let starts = company.diary.iter().filter(|it| **it == format!("start {index}")).count();
            let stops = company.diary.iter().filter(|it| **it == format!("stop {index}")).count();
            prop_assert!(starts == usize::from(affected));
            prop_assert!(stops == usize::from(affected && index != failed));
        }
    }
}
