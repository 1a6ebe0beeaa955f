//! Reading the configuration, which a dead disk may hold up for ever: one reading at a time, on a thread of its own, and with
//! a limit. What it holds up are those who asked for it, and they are told what it waits for.

use std::fmt::Display;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use upkeep_api::apart;
use upkeep_config::LoadError;

use crate::patience::Patience;

/// How long somebody waits for a reading, those that come before it included. Clients wait longer.
const PATIENCE: Duration = Duration::from_secs(20);

/// Threads that a disk may keep; while it has so many, nothing is read.
const MOST_THREADS: usize = 4;

/// The queue of readings. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Reading {
    desk: Arc<Desk>,
    patience: Patience,
}

#[derive(Debug, Default)]
struct Desk {
    /// One reading at a time, in the order in which they were asked for.
    turn: tokio::sync::Mutex<()>,
    /// What the last one that began is at.
    at: Mutex<Place>,
    threads: AtomicUsize,
}

impl Default for Reading {
    fn default() -> Self {
        Self { desk: Arc::default(), patience: Patience::For(PATIENCE) }
    }
}

/// What is being read. The thread of a reading that was given up has one that nobody looks at.
#[derive(Clone, Debug, Default)]
pub(crate) struct Place {
    what: Arc<Mutex<String>>,
    given_up: Arc<AtomicBool>,
}

impl Place {
    /// This comes next.
    pub(crate) fn set(&self, what: &str) {
        what.clone_into(&mut self.what.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Whether whoever asked was told that nothing comes of it: then nothing may.
    pub(crate) fn is_given_up(&self) -> bool {
        self.given_up.load(Ordering::SeqCst)
    }

    fn get(&self) -> String {
        self.what.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// A thread that is there, as long as this is.
struct Thread(Arc<Desk>);

impl Thread {
    fn begin(desk: &Arc<Desk>) -> Option<Self> {
        let one_more = |count| (count < MOST_THREADS).then_some(count + 1);
        desk.threads.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more).ok()?;
        Some(Self(Arc::clone(desk)))
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        self.0.threads.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Reading {
    /// Does `job` when those before it are done. Nobody hears of it when it was given up, whatever it did.
    ///
    /// # Errors
    /// It took too long: what it waits for, in words.
    pub(crate) async fn of<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Place) -> T + Send + 'static,
    ) -> Result<T, String> {
        let place = Place::default();
        let given_up = Arc::clone(&place.given_up);
        let work = async {
            let _turn = self.desk.turn.lock().await;
            let thread = Thread::begin(&self.desk)?;
            *self.at() = place.clone();
            let done = apart(move || {
                let done = job(&place);
                drop(thread);
                done
            });
            done.await
        };
        let done = self.patience.wait_for(work).await;
        given_up.store(done.is_none(), Ordering::SeqCst);
        match done {
            Some(Some(done)) => Ok(done),
            Some(None) if self.desk.threads.load(Ordering::Relaxed) >= MOST_THREADS => {
                Err(self.nothing_yet(format_args!(
                    "{MOST_THREADS} readings hang; once they do not, ask again. The last one waits for"
                )))
            }
            Some(None) => Err("no thread can be had to read the configuration".to_owned()),
            None => Err(self.nothing_yet(format_args!(
                "nothing came within {} seconds of looking at",
                PATIENCE.as_secs()
            ))),
        }
    }

    /// The same for a job that reads a configuration.
    ///
    /// # Errors
    /// As the job, or it took too long.
    pub(crate) async fn configuration<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Place) -> Result<T, LoadError> + Send + 'static,
    ) -> Result<T, LoadError> {
        let late = |message| Err(LoadError { message, diagnostics: Vec::new() });
        self.of(job).await.unwrap_or_else(late)
    }

    fn at(&self) -> std::sync::MutexGuard<'_, Place> {
        self.desk.at.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn nothing_yet(&self, what: impl Display) -> String {
        format!("{what} {}: a disk does not answer; everything goes on as it is", self.at().get())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use tokio::sync::Semaphore;

    use super::*;

    fn runtime() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap()
    }

    #[test]
    fn who_waits_too_long_is_told_for_what_and_the_next_reading_is_not_held_up() {
        let hangs = Arc::new(Semaphore::new(0));
        let reading = Reading { patience: Patience::Told(hangs.clone()), ..Reading::default() };
        let (release, hang) = mpsc::channel::<()>();
        let hang = Arc::new(Mutex::new(hang));
        let hanging = || {
            let (hang, hangs) = (Arc::clone(&hang), Arc::clone(&hangs));
            reading.of(move |place| {
                place.set("/etc/x.conf");
                hangs.add_permits(1);
                let _ = hang.lock().unwrap().recv();
            })
        };
        runtime().block_on(async {
            for _ in 0..MOST_THREADS {
                let told = hanging().await.unwrap_err();
                assert!(told.contains("of looking at /etc/x.conf: a disk does not answer"), "{told}");
            }
            let told = reading.of(|_| ()).await.unwrap_err();
            assert!(told.starts_with("4 readings hang") && told.contains("/etc/x.conf"), "{told}");
            drop(release);
            while reading.desk.threads.load(Ordering::Relaxed) > 0 {
                tokio::task::yield_now().await;
            }
            assert_eq!(reading.of(|_| 7).await, Ok(7));
        });
    }

    #[test]
    fn one_comes_after_the_other() {
        let reading = Reading::default();
        let under_way = Arc::new(AtomicUsize::new(0));
        let job = || {
            let under_way = Arc::clone(&under_way);
            reading.of(move |_| {
                let others = under_way.fetch_add(1, Ordering::SeqCst);
                std::thread::yield_now();
                under_way.fetch_sub(1, Ordering::SeqCst);
                others
            })
        };
        let all = runtime().block_on(async { tokio::join!(job(), job(), job(), job(), job(), job()) });
        assert_eq!(all, (Ok(0), Ok(0), Ok(0), Ok(0), Ok(0), Ok(0)));
    }

    #[test]
    fn a_reading_that_panics_ends_itself_alone() {
        let reading = Reading::default();
        runtime().block_on(async {
            assert!(reading.of(|_| panic!("on purpose")).await.is_err());
            assert_eq!(reading.of(|_| 1).await, Ok(1));
        });
    }
}
