//! The examples of the repository at work: the blog, the Laravel shop with real PHP and Redis, and the quick start.

mod blog;
mod laravel;
mod quickstart;
