//! The examples of the repository at work: the Laravel shop with real PHP and Redis, and the quick start.

mod laravel;
mod quickstart;
