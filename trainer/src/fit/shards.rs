//! Batches in parts, each on a thread of its own.

use burn::tensor::Device;
use rayon::{ThreadPool, ThreadPoolBuildError, ThreadPoolBuilder};

use crate::rssm::device::cpu;

/// The parts of a batch, whose losses and gradients are computed side by side.
///
/// What a step gives depends on the number of parts, because each draws its own random numbers, and not on how many
/// of them run at the same time.
pub struct Shards {
    device: Device,
    count: usize,
    /// One thread for each part, within which its products stay: products that are spread over several threads wait
    /// for each other at every operation. None on a GPU, and where there is one part.
    pools: Vec<ThreadPool>,
}

impl Shards {
    /// That many parts on a device.
    ///
    /// # Errors
    /// Threads that the system refuses.
    pub fn new(count: usize, device: Device) -> Result<Self, ThreadPoolBuildError> {
        let threads = if count > 1 && device == cpu() {
            count
        } else {
            0
        };
        let pool = |_| ThreadPoolBuilder::new().num_threads(1).build();
        let pools = (0..threads).map(pool).collect::<Result<_, _>>()?;
        Ok(Self {
            device,
            count,
            pools,
        })
    }

    /// The device that is computed on.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Number of examples of each part of a batch: as equal as can be, none of them empty.
    pub fn counts(&self, batch: usize) -> impl Iterator<Item = usize> {
        let parts = self.count.clamp(1, batch.max(1));
        (0..parts).map(move |part| batch * (part + 1) / parts - batch * part / parts)
    }

    /// What `work` makes of each part, in their order; side by side where each has a thread.
    pub fn run<T: Send, R: Send>(&self, parts: Vec<T>, work: impl Fn(T) -> R + Sync) -> Vec<R> {
        if self.pools.len() < parts.len() {
            return parts.into_iter().map(work).collect();
        }
        let work = &work;
        std::thread::scope(|scope| {
            let pairs = self.pools.iter().zip(parts);
            let running: Vec<_> = pairs
                .map(|(pool, part)| scope.spawn(move || pool.install(|| work(part))))
                .collect();
            let ended = running.into_iter().map(std::thread::ScopedJoinHandle::join);
            ended
                .map(|result| result.unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
                .collect()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_as_equal_as_can_be_and_none_is_empty() {
        let counts = |parts, batch| {
            let shards = Shards::new(parts, cpu()).unwrap();
            shards.counts(batch).collect::<Vec<_>>()
        };
        assert_eq!(counts(2, 64), [32, 32]);
        assert_eq!(counts(3, 7), [2, 2, 3]);
        assert_eq!(counts(8, 3), [1, 1, 1]);
    }

    #[test]
    fn results_come_in_the_order_of_the_parts() {
        let shards = Shards::new(3, cpu()).unwrap();
        // None can end before all run at the same time.
        let all = std::sync::Barrier::new(3);
        let squares = shards.run(vec![1, 2, 3], |x| {
            all.wait();
            x * x
        });
        assert_eq!(squares, [1, 4, 9]);
    }
}
