//! `upkeep listeners`: event listener pools.

use serde_json::{Value, json};
use upkeep_api::ListenerPool;

use super::link::Link;
use super::options::Options;
use super::problem::{Problem, status};
use super::show;
use crate::screen;

pub(super) fn listeners(options: &Options) -> Result<i32, Problem> {
    let link = Link::open(options)?;
    let pools = link.check("ask for the event listeners", link.client.listener_pools())?;
    let Some(pools) = pools else {
        return Err(Problem::new("show the event listeners", "this daemon cannot tell about them")
            .hint("Supervisor itself has no such call; `upkeep version` shows what runs"));
    };
    let wanted = |pool: &&ListenerPool| options.words.is_empty() || options.words.contains(&pool.name);
    let shown: Vec<&ListenerPool> = pools.iter().filter(wanted).collect();
    if let Some(name) = options.words.iter().find(|name| pools.iter().all(|pool| pool.name != **name)) {
        return Err(Problem::new(&format!("show \"{name}\""), "there is no event listener of that name")
            .hint("`upkeep listeners` shows all"));
    }
    if options.json {
        show::json(&json!({ "pools": shown.iter().map(|pool| in_json(pool)).collect::<Vec<_>>() }));
    } else {
        shown.iter().flat_map(|pool| lines(pool)).for_each(|line| {
            screen::line(&line);
        });
    }
    Ok(status::DONE)
}

/// A line for the pool and one for each listener.
fn lines(pool: &ListenerPool) -> Vec<String> {
    let room =
        if pool.durable { "more on disk".to_owned() } else { format!("room for {}", pool.buffer_size) };
    let mut lines = vec![format!(
        "{}  {}  {} waiting ({room}), {} discarded",
        pool.name,
        pool.events.join(","),
        pool.waiting,
        pool.discarded
    )];
    lines.extend(pool.listeners.iter().map(|one| format!("  {}:{}  {}", pool.name, one.name, one.state)));
    lines
}

fn in_json(pool: &ListenerPool) -> Value {
    let listener = |one: &upkeep_api::Listener| json!({ "name": one.name, "state": one.state });
    json!({
        "name": pool.name,
        "events": pool.events,
        "waiting": pool.waiting,
        "buffer_size": pool.buffer_size,
        "durable": pool.durable,
        "discarded": pool.discarded,
        "listeners": pool.listeners.iter().map(listener).collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pool_in_lines() {
        let listeners = vec![upkeep_api::Listener { name: "mail_0".into(), state: "BUSY".into() }];
        let pool = ListenerPool {
            name: "mail".into(),
            events: vec!["TICK_60".into(), "PROCESS_STATE".into()],
            waiting: 3,
            buffer_size: 10,
            durable: false,
            discarded: 7,
            listeners,
        };
        assert_eq!(
            lines(&pool),
            ["mail  TICK_60,PROCESS_STATE  3 waiting (room for 10), 7 discarded", "  mail:mail_0  BUSY"]
        );
        let durable = ListenerPool { durable: true, ..pool };
        assert!(lines(&durable)[0].contains("3 waiting (more on disk), 7 discarded"));
    }
}
