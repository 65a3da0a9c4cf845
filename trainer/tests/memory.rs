//! Whether freed memory is kept; without a harness, as the main thread's heap is what counts.

#![allow(clippy::unwrap_used, clippy::print_stdout)] // this is the test, without a harness

use latco_trainer::memory::keep_freed;

const BLOCKS: usize = 64;
const BLOCK: usize = 1 << 20;

/// What changes glibc's allocator from outside.
const TUNING: [&str; 4] = [
    "GLIBC_TUNABLES",
    "MALLOC_MMAP_THRESHOLD_",
    "MALLOC_TRIM_THRESHOLD_",
    "MALLOC_TOP_PAD_",
];

/// Allocates and frees blocks as a training step does its tensors.
fn step() {
    let blocks: Vec<Vec<u8>> = (0..BLOCKS).map(|_| vec![1; BLOCK]).collect();
    std::hint::black_box(blocks);
}

/// Pages that were mapped for this process so far.
fn faults() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let (_, fields) = stat.rsplit_once(')').unwrap();
    fields.split_whitespace().nth(7).unwrap().parse().unwrap()
}

fn main() {
    if !cfg!(all(target_os = "linux", target_env = "gnu")) {
        println!("skipped: freed memory is kept with glibc on Linux only");
        return;
    }
    // glibc reads these when the process starts, and they would keep freed memory from the beginning.
    if TUNING.iter().any(|name| std::env::var_os(name).is_some()) {
        let mut command = std::process::Command::new(std::env::current_exe().unwrap());
        for name in TUNING {
            command.env_remove(name);
        }
        assert!(command.status().unwrap().success());
        return;
    }
    let faults_of_a_step = || {
        step();
        let before = faults();
        step();
        faults() - before
    };
    let all = (BLOCKS * BLOCK / 4096) as u64;
    let returned = faults_of_a_step();
    assert!(returned > all / 2, "{returned} of {all} pages without it");
    keep_freed();
    let kept = faults_of_a_step();
    assert!(kept < all / 100, "{kept} of {all} pages with it");
    println!("pages faulted in again: {returned} before, {kept} after");
}
