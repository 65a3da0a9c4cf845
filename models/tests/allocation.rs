//! A run of a graph makes no Rust heap allocation after construction.

mod support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use latco_export::Family;
use latco_models::{BenchOptions, bench};
use support::{Fixture, small};

/// Counts the allocations of the calling thread.
struct Counting;

thread_local! {
    static COUNT: Cell<usize> = const { Cell::new(0) };
}

#[allow(unsafe_code)]
// SAFETY: every call is passed on unchanged to the system allocator; the counter does not allocate.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.with(|count| count.set(count.get() + 1));
        // SAFETY: as for the caller.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as for the caller.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        COUNT.with(|count| count.set(count.get() + 1));
        // SAFETY: as for the caller.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocations(mut work: impl FnMut()) -> usize {
    let before = COUNT.with(Cell::get);
    work();
    COUNT.with(Cell::get) - before
}

#[test]
fn the_counter_counts() {
    assert_eq!(
        allocations(|| {
            std::hint::black_box(vec![1u8; 100]);
        }),
        1
    );
}

/// Inputs and outputs are bound once. On a GPU there is one copy in each direction besides; `models/gpu-check.sh` measures the
/// latencies there.
#[test]
fn fault_21_no_graph_allocates_per_run() {
    for family in [Family::Conv, Family::Keypoint] {
        let bundle = Fixture::new(&small(family), 1).load().unwrap();
        let mut observe = bundle.observe(1).unwrap();
        let mut dynamics = bundle.dynamics(4).unwrap();
        let mut reward = bundle.reward(4).unwrap();
        let mut rollout = bundle.rollout(2).unwrap();
        let mut decode = bundle.decode(1).unwrap();
        let mut sum = 0.0;
        for run in 0..10 {
            let value = run as f32 * 0.1;
            let count = allocations(|| {
                observe.image_mut().fill(run);
                if let Some(joints) = observe.joints_mut() {
                    joints.fill(value);
                }
                observe.state_mut().fill(value);
                observe.action_mut().fill(value);
                observe.run().unwrap();
                sum += observe.mean()[0] + observe.std()[0];
            });
            assert_eq!(count, 0, "observe, {family:?}");
            let count = allocations(|| {
                dynamics.state_mut().fill(value);
                dynamics.action_mut().fill(value);
                dynamics.run().unwrap();
                sum += dynamics.mean()[0] + dynamics.std()[0] + dynamics.factors()[0];
            });
            assert_eq!(count, 0, "dynamics, {family:?}");
            let count = allocations(|| {
                reward.state_mut().fill(value);
                reward.run().unwrap();
                sum += reward.reward()[0] + reward.gradient()[0];
            });
            assert_eq!(count, 0, "reward, {family:?}");
            let count = allocations(|| {
                rollout.state_mut().fill(value);
                rollout.action_mut().fill(value);
                rollout.run().unwrap();
                sum += rollout.returns()[0] + rollout.rewards()[0];
            });
            assert_eq!(count, 0, "rollout, {family:?}");
            let count = allocations(|| {
                decode.state_mut().fill(value);
                decode.run().unwrap();
                sum += decode.image()[0];
            });
            assert_eq!(count, 0, "decode, {family:?}");
        }
        assert!(sum.is_finite());
    }
}

#[test]
fn the_bench_counts_the_allocations_of_its_runs() {
    let bundle = Fixture::keypoint().load().unwrap();
    let options = BenchOptions {
        runs: 10,
        starts: 2,
        allocations: Some(|| COUNT.with(Cell::get) as u64),
    };
    let bench = bench(&bundle, &options).unwrap();
    for (graph, latencies) in &bench.graphs {
        for latency in latencies {
            assert_eq!(latency.allocations_per_run, Some(0.0), "{graph}");
        }
    }
}
