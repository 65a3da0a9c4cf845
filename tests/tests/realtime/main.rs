//! What takes wall-clock time to measure, in one program that runs alone (`make test-realtime`), one test after the other.
//! What is compared is compared with something that was measured beside it, so that it holds on a slow machine too.

// A failed helper fails the test; modules of a test program are seen by nobody else.
#![allow(clippy::unwrap_used, unreachable_pub)]

mod bench;
mod budgets;
mod rendering;
