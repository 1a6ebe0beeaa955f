//! Behaviour over time under schedules that nobody thought of.

#[cfg(test)]
mod anywhere;
mod bounds;
#[cfg(test)]
mod chance;
#[cfg(test)]
mod conf;
#[cfg(test)]
mod dress;
#[cfg(test)]
mod health;
#[cfg(test)]
mod hooks;
#[cfg(test)]
mod probes;
#[cfg(test)]
mod restarts;
mod rolling;
#[cfg(test)]
mod rolls;
#[cfg(test)]
mod schedule;
#[cfg(test)]
mod stopping;
#[cfg(test)]
mod timetable;
mod together;
#[cfg(test)]
mod watch;
