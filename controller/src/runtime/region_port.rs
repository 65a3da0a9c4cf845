//! The port through which the regions are moved that the robot keeps out of.

use crate::constraints::{Middles, Place};
use crate::latest;

/// The furthest place of a region that is there, m from the base.
const FURTHEST_M: f64 = 1000.0;

/// The reason why regions were not moved; they stay where they were.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum RegionError {
    /// There are more places, or fewer, than regions.
    #[error(
        "expected {expected} numbers, x, y and z in m of each region in the order of keep_out (balls, then boxes), found {found}"
    )]
    Count {
        /// Three for each region.
        expected: usize,
        /// Numbers that there were.
        found: usize,
    },
    /// A place is none.
    #[error(
        "expected x, y and z of region {region} within {FURTHEST_M} m of the robot's base, or three times NaN for a region that is \
         away; found {place:?}"
    )]
    Place {
        /// Number of the first such region, from 0.
        region: usize,
        /// What is said of it.
        place: Place,
    },
}

/// The port through which regions go in; both threads take the newest places.
pub struct RegionPort {
    planner: latest::Writer<Middles>,
    executor: latest::Writer<Middles>,
    regions: usize,
}

/// The sides of the port: to be given to its user, to the planner and to the executor.
pub(super) fn make(now: &Middles) -> (RegionPort, [latest::Reader<Middles>; 2]) {
    let (planner, of_planner) = latest::channel(|| now.clone());
    let (executor, of_executor) = latest::channel(|| now.clone());
    let port = RegionPort {
        planner,
        executor,
        regions: now.len(),
    };
    (port, [of_planner, of_executor])
}

impl RegionPort {
    /// Moves all regions: x, y and z in m of the middle of each, in the order of the configuration and in the frame of the robot's
    /// base. One of which all three are NaN is away.
    ///
    /// # Errors
    /// [`RegionError`]; no region is moved then.
    ///
    /// # Real-time
    /// No allocation, no waiting.
    pub fn send(&mut self, numbers: &[f64]) -> Result<(), RegionError> {
        if numbers.len() != 3 * self.regions {
            return Err(RegionError::Count {
                expected: 3 * self.regions,
                found: numbers.len(),
            });
        }
        let places = numbers.chunks_exact(3).map(|v| [v[0], v[1], v[2]]);
        let is_wrong = |place: &Place| {
            let is_away = place.iter().all(|x| x.is_nan());
            !is_away && !place.iter().all(|x| x.abs() <= FURTHEST_M)
        };
        if let Some((region, place)) = places.clone().enumerate().find(|(_, p)| is_wrong(p)) {
            return Err(RegionError::Place { region, place });
        }
        for writer in [&mut self.planner, &mut self.executor] {
            *writer.value_mut() = places.clone().collect();
            writer.publish();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_that_are_none_are_refused_with_what_was_expected_and_move_nothing() {
        let now: Middles = [[0.0; 3], [1.0; 3]].into_iter().collect();
        let (mut port, [mut planner, mut executor]) = make(&now);
        let nan = f64::NAN;
        for (numbers, words) in [
            (vec![], "expected 6 numbers"),
            (vec![0.0; 9], "found 9"),
            (vec![0.0, 0.0, 0.0, 0.0, nan, 0.0], "region 1"),
            (vec![1e30, 0.0, 0.0, 0.0, 0.0, 0.0], "within 1000 m"),
            (vec![f64::INFINITY; 6], "region 0"),
        ] {
            let error = port.send(&numbers).unwrap_err().to_string();
            assert!(error.contains(words), "{numbers:?}: {error}");
            assert!(!planner.update() && !executor.update());
        }
        port.send(&[0.5, -0.5, 0.25, nan, nan, nan]).unwrap();
        for reader in [&mut planner, &mut executor] {
            assert!(reader.update());
            assert_eq!(reader.value()[0], [0.5, -0.5, 0.25]);
            assert!(reader.value()[1].iter().all(|x| x.is_nan()));
        }
    }
}
