//! Conversion of streams of messages to frames on the control period.

/// Values with their times, ns, in rising order of time; `values` is `[times, width]`.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Stream {
    pub(super) times: Vec<i64>,
    pub(super) values: Vec<f32>,
    pub(super) width: usize,
}

impl Stream {
    pub(super) fn new(width: usize) -> Self {
        Self {
            width,
            ..Self::default()
        }
    }

    /// Adds a value; one that is older than the last is put in its place.
    pub(super) fn push(&mut self, time: i64, value: &[f32]) {
        debug_assert_eq!(value.len(), self.width);
        let at = self.times.partition_point(|known| *known <= time);
        self.times.insert(at, time);
        let values = at * self.width;
        self.values.splice(values..values, value.iter().copied());
    }

    fn value(&self, at: usize) -> &[f32] {
        &self.values[at * self.width..][..self.width]
    }

    /// The newest value at or before `time`.
    fn newest(&self, time: i64) -> Option<&[f32]> {
        let count = self.times.partition_point(|known| *known <= time);
        (count > 0).then(|| self.value(count - 1))
    }

    /// Difference of the newest value before `to` and that before `from`, or else `first`, times `by`; zero where nothing is known.
    fn change(
        &self,
        (from, to): (i64, i64),
        first: Option<&[f32]>,
        by: &[f32],
        out: &mut Vec<f32>,
    ) {
        let before = self.newest(from - 1).or(first);
        for index in 0..self.width {
            let change = match (before, self.newest(to - 1)) {
                (Some(before), Some(last)) => last[index] - before[index],
                _ => 0.0,
            };
            out.push(change * by[index]);
        }
    }

    /// Mean over `[from, to)` of the values held until the next; zero before the first.
    fn mean_held(&self, from: i64, to: i64, out: &mut Vec<f32>) {
        let start = out.len();
        out.resize(start + self.width, 0.0);
        let first = self
            .times
            .partition_point(|known| *known <= from)
            .saturating_sub(1);
        for at in first..self.times.len() {
            let begin = self.times[at].max(from);
            let end = self.times.get(at + 1).copied().unwrap_or(to).min(to);
            if begin >= to {
                break;
            }
            if end <= begin {
                continue;
            }
            let share = (end - begin) as f64 / (to - from) as f64;
            for (sum, value) in out[start..].iter_mut().zip(self.value(at)) {
                *sum += (share * f64::from(*value)) as f32;
            }
        }
    }
}

/// The choice of an image for one tick of the control period.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tick {
    /// Time of the tick in ns.
    pub(super) time_ns: i64,
    /// Index of the image.
    pub(super) image: usize,
}

/// The ticks from the first image on, one period apart, each with its nearest image. Where no image is within
/// a period (dropped frames, a damaged part), the run of ticks ends and another begins at the next image.
pub(super) fn ticks(image_times: &[i64], period_ns: i64) -> Vec<Vec<Tick>> {
    let mut runs = Vec::new();
    let mut run: Vec<Tick> = Vec::new();
    let Some((&first, &last)) = image_times.first().zip(image_times.last()) else {
        return runs;
    };
    let mut time = first;
    while time <= last + period_ns / 2 {
        let after = image_times.partition_point(|known| *known < time);
        let candidates = [
            after.checked_sub(1),
            (after < image_times.len()).then_some(after),
        ];
        let distance = |index: usize| (image_times[index] - time).abs();
        let nearest = candidates
            .into_iter()
            .flatten()
            .min_by_key(|index| distance(*index));
        match nearest {
            Some(image) if distance(image) <= period_ns => {
                run.push(Tick {
                    time_ns: time,
                    image,
                });
                time += period_ns;
            }
            _ => {
                runs.push(std::mem::take(&mut run));
                match image_times.get(after) {
                    Some(next) => time = *next,
                    None => break,
                }
            }
        }
    }
    runs.push(run);
    runs.retain(|run| !run.is_empty());
    runs
}

/// Joints, actions and rewards of one tick.
pub(super) struct Channels<'a> {
    pub(super) joints: &'a Stream,
    pub(super) commands: &'a Stream,
    pub(super) rewards: &'a Stream,
    /// Where commands are positions, what their changes are multiplied by.
    pub(super) changes: Option<&'a [f32]>,
}

impl Channels<'_> {
    /// Appends the values of the tick at `time`; returns `false` and appends nothing where joints are
    /// recorded but none is known by then.
    pub(super) fn append(
        &self,
        time: i64,
        period_ns: i64,
        joints: &mut Vec<f32>,
        actions: &mut Vec<f32>,
        rewards: &mut Vec<f32>,
    ) -> bool {
        if self.joints.width > 0 {
            // The first image of a recording may come just before the first joint state.
            let known = self.joints.newest(time).or_else(|| {
                let soon = self
                    .joints
                    .times
                    .first()
                    .is_some_and(|t| *t <= time + period_ns);
                soon.then(|| self.joints.value(0))
            });
            match known {
                Some(values) => joints.extend_from_slice(values),
                None => return false,
            }
        }
        match self.changes {
            Some(by) => {
                // Before the first command the joints were held where they are.
                let width = self.commands.width;
                let known = self
                    .joints
                    .newest(time)
                    .filter(|joints| joints.len() >= width);
                let positions = known.map(|joints| &joints[..width]);
                (self.commands).change((time, time + period_ns), positions, by, actions);
            }
            None => self.commands.mean_held(time, time + period_ns, actions),
        }
        // A reward belongs to the image that it is published with, a little after its stamp.
        let reward = self.rewards.newest(time + period_ns / 2);
        rewards.push(reward.map_or(0.0, |value| value[0]));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(entries: &[(i64, f32)]) -> Stream {
        let mut stream = Stream::new(1);
        for (time, value) in entries {
            stream.push(*time, &[*value]);
        }
        stream
    }

    #[test]
    fn a_stream_keeps_the_order_of_time() {
        let stream = stream(&[(10, 1.0), (30, 3.0), (20, 2.0)]);
        assert_eq!(stream.times, [10, 20, 30]);
        assert_eq!(stream.values, [1.0, 2.0, 3.0]);
        assert_eq!(stream.newest(9), None);
        assert_eq!(stream.newest(20), Some(&[2.0][..]));
        assert_eq!(stream.newest(99), Some(&[3.0][..]));
    }

    #[test]
    fn commands_are_averaged_over_the_period_as_they_were_held() {
        let stream = stream(&[(50, 1.0), (150, 3.0), (175, -1.0)]);
        let mean = |from, to| {
            let mut out = Vec::new();
            stream.mean_held(from, to, &mut out);
            out[0]
        };
        assert_eq!(mean(0, 50), 0.0);
        assert_eq!(mean(0, 100), 0.5);
        assert_eq!(mean(100, 200), 0.5 + 0.75 - 0.25);
        assert_eq!(mean(200, 300), -1.0);
    }

    #[test]
    fn changes_of_positions_are_counted_in_the_period_in_which_they_are_sent() {
        let stream = stream(&[(100, 1.0), (150, 1.5), (200, 2.0)]);
        let change = |from, to, first: Option<f32>| {
            let (mut out, first) = (Vec::new(), first.map(|first| [first]));
            let first = first.as_ref().map(|first| &first[..]);
            stream.change((from, to), first, &[2.0], &mut out);
            out[0]
        };
        assert_eq!(change(0, 100, None), 0.0);
        assert_eq!(change(100, 200, None), 0.0, "from where is not known");
        assert_eq!(change(100, 200, Some(0.5)), 2.0);
        assert_eq!(change(200, 300, Some(0.5)), 1.0);
        assert_eq!(change(300, 400, None), 0.0);
    }

    #[test]
    fn images_at_another_rate_or_with_jitter_are_put_on_the_period() {
        let images = |runs: &[Vec<Tick>]| -> Vec<Vec<usize>> {
            runs.iter()
                .map(|run| run.iter().map(|tick| tick.image).collect())
                .collect()
        };
        // 20 Hz images, 10 Hz control.
        assert_eq!(
            images(&ticks(&[0, 50, 100, 150, 200], 100)),
            [vec![0, 2, 4]]
        );
        // Jitter.
        assert_eq!(images(&ticks(&[0, 96, 207, 299], 100)), [vec![0, 1, 2, 3]]);
        // Half the rate: images are used twice.
        assert_eq!(images(&ticks(&[0, 200], 100)), [vec![0, 0, 1]]);
        // One lost image is bridged by its neighbour, a longer gap is not.
        assert_eq!(images(&ticks(&[0, 100, 300], 100)), [vec![0, 1, 1, 2]]);
        assert_eq!(
            images(&ticks(&[0, 100, 530, 630], 100)),
            [vec![0, 1, 1], vec![2, 3]]
        );
        assert!(ticks(&[], 100).is_empty());
    }

    #[test]
    fn a_tick_without_known_joints_is_left_out() {
        let mut joints = Stream::new(2);
        joints.push(250, &[1.0, 2.0]);
        let (commands, rewards) = (stream(&[(0, 1.0)]), stream(&[(201, 1.0)]));
        let channels = Channels {
            joints: &joints,
            commands: &commands,
            rewards: &rewards,
            changes: None,
        };
        let (mut j, mut a, mut r) = (Vec::new(), Vec::new(), Vec::new());
        assert!(!channels.append(100, 100, &mut j, &mut a, &mut r));
        assert!(r.is_empty());
        assert!(channels.append(200, 100, &mut j, &mut a, &mut r));
        assert_eq!((j, a, r), (vec![1.0, 2.0], vec![1.0], vec![1.0]));
    }
}
