//! Queues that are kept on disk.
