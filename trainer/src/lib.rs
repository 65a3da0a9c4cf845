//! Offline trainer: RSSM, data from bags, evaluation, export

pub mod data;
