//! What a reader asks first, answered in a sentence each, with the place on the page where more is to be seen.

use std::collections::BTreeMap;

use latco_envs::statistics::wilson_interval;
use latco_models::RewardHead;
use latco_pictures::page::Answer;

use super::episodes::Episode;
use super::heard::Heard;
use super::planners::Compared;
use super::rows::{Times, ms_at};
use super::seen::Seen;

/// All questions.
pub(super) fn all(
    (seen, heard): (&[Seen], &Heard),
    (episodes, times, planners): (&[Episode], &[Times], &[Compared]),
    head: RewardHead,
) -> Vec<Answer> {
    vec![
        Answer {
            question: "Did it do its task?",
            answer: solved(episodes),
            place: "episodes",
        },
        Answer {
            question: "Why this plan?",
            answer: why(seen),
            place: "tick",
        },
        Answer {
            question: "Was the deadline kept?",
            answer: deadline(times),
            place: "times",
        },
        Answer {
            question: "When did it stop, and why?",
            answer: stops(heard, seen.first().map_or(0, |s| s.stamp_ns)),
            place: "states",
        },
        Answer {
            question: "Does the model know the goal?",
            answer: knows(seen, heard, head),
            place: "tick",
        },
        Answer {
            question: "Which planner is better here?",
            answer: better(planners),
            place: "planners",
        },
    ]
}

fn solved(episodes: &[Episode]) -> String {
    let paid: Vec<f64> = episodes.iter().filter_map(|e| e.paid).collect();
    if paid.is_empty() {
        return "The recording has no rewards, so it does not say.".into();
    }
    let solved = paid.iter().filter(|&&paid| paid > 0.0).count();
    let (low, high) = wilson_interval(solved, paid.len());
    format!(
        "A reward was paid in {solved} of {} episodes ({:.0} %, 95 % interval {:.0} to {:.0} %).",
        paid.len(),
        100.0 * solved as f64 / paid.len() as f64,
        100.0 * low,
        100.0 * high
    )
}

fn why(seen: &[Seen]) -> String {
    let mut sources: BTreeMap<String, usize> = BTreeMap::new();
    let mut plans = 0;
    for report in seen
        .iter()
        .filter_map(|s| s.plan.as_ref())
        .map(|p| p.report)
    {
        plans += 1;
        *sources.entry(source(&report)).or_default() += 1;
    }
    let mut sorted: Vec<_> = sources.into_iter().collect();
    sorted.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let parts: Vec<String> = (sorted.iter())
        .map(|(name, count)| format!("{count} {name}"))
        .collect();
    format!(
        "Of all candidates the one with the largest predicted return is followed. Of {plans} plans: {}.",
        parts.join(", ")
    )
}

/// Where a plan is from, in words.
pub(super) fn source(report: &latco_controller::plan::PlanReport) -> String {
    let start = match report.best_start.name() {
        "standing_still" => return "stand still, as nothing promised more".into(),
        "shifted" => "the plan before",
        "sampled" => "sampled actions",
        "gaussian" => "noise",
        other => other,
    };
    if report.best_iteration == 0 {
        format!("are {start}, not changed")
    } else {
        format!("are {start}, improved by iterations")
    }
}

fn deadline(times: &[Times]) -> String {
    let known: Vec<bool> = times.iter().filter_map(Times::was_kept).collect();
    if known.is_empty() {
        return "The recording does not say when plans were ready.".into();
    }
    let missed = known.iter().filter(|kept| !**kept).count();
    format!(
        "{} of {} plans were ready before their first new action was due, {missed} were not. From the stamp of an image to \
         its plan in the journal: median {}, p99 {}; to the next command: median {}, p99 {}.",
        known.len() - missed,
        known.len(),
        ms_at(times, |t| t.ready_ms, 0.5),
        ms_at(times, |t| t.ready_ms, 0.99),
        ms_at(times, |t| t.command_ms, 0.5),
        ms_at(times, |t| t.command_ms, 0.99),
    )
}

/// The document in which each reason of a stop has a row with its meaning.
const MEANINGS: &str = include_str!("../../../docs/troubleshooting.md");

/// What a state of the node means, by the reason in it; empty where there is nothing to say.
pub(super) fn meaning(state: &str) -> &'static str {
    let reason = state.strip_prefix("stopped: ").unwrap_or_default();
    let cells = |line: &'static str| {
        let mut cells = line.split('|').map(str::trim);
        (cells.nth(1), cells.next())
    };
    let named = format!("`{reason}`");
    let mut rows = MEANINGS.lines().map(cells);
    rows.find(|(name, _)| *name == Some(named.as_str()))
        .and_then(|(_, meaning)| meaning)
        .unwrap_or_default()
}

fn stops(heard: &Heard, begin_ns: i64) -> String {
    let Some((last, _)) = heard.states.split_last() else {
        return "The recording has no states of the node.".into();
    };
    let mut parts: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (at, (time, _, text)) in heard.states.iter().enumerate() {
        if text.starts_with("stopped") {
            let until = heard.states.get(at + 1).map_or(last.0, |next| next.0);
            let seconds = |ns: i64| ns as f64 * 1e-9;
            parts.entry(text).or_default().push(format!(
                "at {:.1} s for {:.1} s",
                seconds(time - begin_ns),
                seconds(until - time)
            ));
        }
    }
    if parts.is_empty() {
        return "It never said so.".into();
    }
    let parts: Vec<String> = (parts.iter())
        .map(|(text, times)| match meaning(text) {
            "" => format!("{text}, {}", times.join(", ")),
            meaning => format!("{text} ({meaning}), {}", times.join(", ")),
        })
        .collect();
    format!("{}.", parts.join("; "))
}

fn knows(seen: &[Seen], heard: &Heard, head: RewardHead) -> String {
    let pictures = "Each image stands beside what the belief makes of it: where the decoded one lacks an object, the model does not \
                    know of it.";
    let told = |when: &str, foretold: &[f64]| match foretold.len() {
        0 => format!("there were none {when}"),
        count => format!(
            "{when} ({count} times) it had predicted {:.2}",
            foretold.iter().sum::<f64>() / count as f64
        ),
    };
    if heard.rewards.is_empty() {
        return format!("The recording has no rewards to compare its predictions with. {pictures}");
    }
    let (paid, unpaid) = foretold(seen, heard, head);
    format!(
        "Of the reward one step after each plan begins: {}; {}. {pictures}",
        told("where it was paid", &paid),
        told("where it was not", &unpaid)
    )
}

/// What plans predicted to be paid after their first own step, apart by whether it was: where the recording has a reward of
/// that time.
fn foretold(seen: &[Seen], heard: &Heard, head: RewardHead) -> (Vec<f64>, Vec<f64>) {
    let (mut paid, mut unpaid) = (Vec::new(), Vec::new());
    for plan in seen.iter().filter_map(|s| s.plan.as_ref()) {
        let steps = i64::try_from(plan.lead + 1).unwrap_or(i64::MAX);
        let due = plan
            .start_ns
            .saturating_add(plan.period_ns.saturating_mul(steps));
        let nearest = heard.rewards.iter().min_by_key(|r| (r.0 - due).abs());
        let (Some(&(time, reward)), Some(&first)) = (nearest, plan.rewards.first()) else {
            continue;
        };
        if (time - due).abs() <= plan.period_ns / 2 {
            let list = if reward > 0.0 { &mut paid } else { &mut unpaid };
            list.push(f64::from(head.paid(first)));
        }
    }
    (paid, unpaid)
}

fn better(planners: &[Compared]) -> String {
    let Some(first) = planners.first() else {
        return "There are no plans to compare with.".into();
    };
    let parts: Vec<String> = (planners.iter())
        .map(|p| format!("{} {:.2} (most at {})", p.planner, p.promised, p.best))
        .collect();
    format!(
        "By the model's word, each from nothing in {:.0} ms for {} images of this run: mean predicted return {}. Which of them drives \
         better this page cannot tell, as one drove: that is latco-train experiment race.",
        first.budget_ms,
        first.images,
        parts.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use latco_models::RewardKind;

    use super::super::seen::Planned;
    use super::*;

    #[test]
    fn every_stop_has_a_meaning_a_time_and_a_duration() {
        let s = 1_000_000_000;
        let heard = Heard {
            states: vec![
                (s, 1, "stopped: no_plan".into()),
                (3 * s, 0, "following the plan".into()),
                (5 * s, 2, "stopped: not a reason".into()),
            ],
            ..Heard::default()
        };
        assert_eq!(
            stops(&heard, 0),
            "stopped: no_plan (nothing was planned yet in this episode), at 1.0 s for 2.0 s; stopped: not a reason, at 5.0 s for 0.0 s."
        );
    }

    #[test]
    fn predictions_are_parted_by_what_was_paid_at_their_time() {
        let s = 1_000_000_000;
        let plan = |second: i64, reward: f32| Seen {
            stamp_ns: second * s,
            taken_ns: second * s,
            pixels: Vec::new(),
            refused: None,
            belief: Vec::new(),
            plan: Some(Planned {
                number: 1,
                start_ns: second * s,
                period_ns: s,
                lead: 1,
                report: Default::default(),
                is_new: true,
                actions: Vec::new(),
                states: Vec::new(),
                rewards: vec![reward, 0.0],
                iterations: Vec::new(),
                candidates: Default::default(),
                problem: None,
            }),
        };
        let seen = [plan(0, 0.25), plan(1, 0.75), plan(50, 0.5)];
        let heard = Heard {
            rewards: vec![(2 * s, 0.0), (3 * s, 1.0)],
            ..Heard::default()
        };
        let head = RewardHead {
            kind: RewardKind::Regression,
            range: Default::default(),
            penalty: None,
            discount: None,
        };
        let (paid, unpaid) = foretold(&seen, &heard, head);
        assert_eq!((paid, unpaid), (vec![0.75], vec![0.25]));
    }
}
