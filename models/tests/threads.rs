//! Sessions may move to the thread that uses them, and give the same bits there.

mod support;

use latco_models::{Bundle, Decode, Dynamics, Observe, Reward, Rollout};
use support::Fixture;

#[test]
fn bundles_are_shared_and_sessions_move() {
    fn shared<T: Send + Sync>() {}
    fn moved<T: Send>() {}
    shared::<Bundle>();
    moved::<(Observe, Dynamics, Reward, Rollout, Decode)>();

    let bundle = Fixture::keypoint().load().unwrap();
    let means = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..2)
            .map(|_| {
                let mut dynamics = bundle.dynamics(4).unwrap();
                scope.spawn(move || {
                    dynamics.state_mut().fill(0.3);
                    dynamics.action_mut().fill(-0.2);
                    dynamics.run().unwrap();
                    dynamics.mean().to_vec()
                })
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect::<Vec<_>>()
    });
    assert_eq!(means[0], means[1]);
    assert!(means[0].iter().any(|&value| value != 0.0));
}
