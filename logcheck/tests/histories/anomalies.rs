//! Histories that were right, each with one contradiction put into it at a place of chance. A
//! checker that misses one would let the bug behind it pass every test that relies on it.

use logcheck::{Rule, Verdict, check};

use crate::injection::inject;
use crate::world::World;
use crate::{Dice, history_of};

#[test]
fn every_injected_anomaly_is_found_under_its_name() {
    for rule in Rule::ALL {
        let mut injected = 0;
        for seed in 0..60 {
            let events = World::run(seed, 250);
            let Some(bent) = inject(rule, &events, &mut Dice(seed)) else { continue };
            injected += 1;
            let history = history_of(&bent);
            let report = check(&history);
            if report.broken(rule) == 0 {
                let mut text = Vec::new();
                history.write(&mut text).unwrap();
                panic!("{rule}, seed {seed}\n{}{report}", String::from_utf8(text).unwrap());
            }
            assert_eq!(report.verdict(), Verdict::Broken);
        }
        assert!(injected >= 20, "{rule}: {injected} of 60 histories had a place for it");
    }
}

#[test]
fn a_violation_names_lines_that_exist_and_what_stands_there() {
    for rule in Rule::ALL {
        let events = World::run(11, 250);
        let Some(bent) = inject(rule, &events, &mut Dice(3)) else { continue };
        for violation in check(&history_of(&bent)).violations() {
            assert!(!violation.lines.is_empty(), "{violation}");
            assert!(violation.lines.is_sorted(), "{violation}");
            assert!(violation.lines.iter().all(|line| (1..=bent.len()).contains(line)));
            assert!(violation.to_string().starts_with(violation.rule.name()));
        }
    }
}

#[test]
fn the_same_history_has_the_same_report() {
    let events = World::run(5, 400);
    for rule in Rule::ALL {
        let Some(bent) = inject(rule, &events, &mut Dice(9)) else { continue };
        let reports = [(); 2].map(|()| check(&history_of(&bent)).to_string());
        assert_eq!(reports[0], reports[1]);
    }
}
