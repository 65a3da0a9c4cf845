//! Offline trainer: RSSM, data from bags, evaluation, export
