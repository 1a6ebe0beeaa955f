//! The rules of the supervisor, as tables over a simulated world.

#[cfg(test)]
mod clock;
mod control;
#[cfg(test)]
mod crash;
mod depends;
#[cfg(test)]
mod events;
#[cfg(test)]
mod files;
#[cfg(test)]
mod listener;
#[cfg(test)]
mod memory;
#[cfg(test)]
mod plan;
#[cfg(test)]
mod probes;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod reload;
#[cfg(test)]
mod scale;
#[cfg(test)]
mod scene;
#[cfg(test)]
mod shutdown;
#[cfg(test)]
mod signals;
#[cfg(test)]
mod states;
#[cfg(test)]
mod update;
