//! Which items come after which: what the drafts say, said of the items that the document lists.
//!
//! It must not know Markdown.

use std::collections::BTreeSet;

use super::items::{Item, Name};

/// For each item, by place, what it comes after.
pub(super) struct Order {
    after: Vec<BTreeSet<usize>>,
    missing: Vec<Vec<String>>,
}

impl Order {
    /// Reads it from the drafts. What an item's own draft says of it and of another one that is listed always holds.
    /// What was said of an item that was united with it, or of one that stands here under other words, holds unless
    /// the two would then wait for each other.
    pub(super) fn of(items: &[Item], drafts: &[Vec<Item>]) -> Self {
        let is_own = |need: &&Name| items.iter().any(|item| item.names.first() == Some(need));
        let mut order = Self { after: vec![BTreeSet::new(); items.len()], missing: vec![Vec::new(); items.len()] };
        for (at, item) in items.iter().enumerate() {
            let firm = item.needs.iter().filter(is_own).filter_map(|need| place(items, drafts, need));
            order.after[at].extend(firm.filter(|need| *need != at));
        }
        for (at, item) in items.iter().enumerate() {
            for need in item.needs.iter().filter(|need| !is_own(need)).chain(&item.inherited) {
                match place(items, drafts, need) {
                    Some(before) if before == at || order.leads(before, at) => {}
                    Some(before) => drop(order.after[at].insert(before)),
                    None => order.missing[at].push(title(drafts, need)),
                }
            }
        }
        order
    }

    /// Tells whether an item comes after another, however far.
    fn leads(&self, from: usize, to: usize) -> bool {
        let mut seen = BTreeSet::new();
        let mut left = vec![from];
        while let Some(at) = left.pop() {
            if at == to {
                return true;
            }
            left.extend(self.after[at].iter().filter(|next| seen.insert(**next)));
        }
        false
    }

    /// What an item comes after, by place.
    pub(super) fn before(&self, at: usize) -> &BTreeSet<usize> {
        &self.after[at]
    }

    /// What an item needs and no item here does: its words, or the id that names nothing, with whose draft says so.
    pub(super) fn missing(&self, at: usize) -> &[String] {
        &self.missing[at]
    }

    /// The items by phase: each phase needs only those before it. What never gets ready (a cycle) is the second part.
    pub(super) fn phases(&self) -> (Vec<Vec<usize>>, Vec<usize>) {
        let mut done: BTreeSet<usize> = BTreeSet::new();
        let mut phases = Vec::new();
        loop {
            let left = (0..self.after.len()).filter(|at| !done.contains(at));
            let (ready, stuck): (Vec<usize>, Vec<usize>) = left.partition(|at| self.after[*at].is_subset(&done));
            if ready.is_empty() {
                return (phases, stuck);
            }
            done.extend(&ready);
            phases.push(ready);
        }
    }
}

/// The item that stands for what a draft names: under that name, else the first that is about the same.
fn place(items: &[Item], drafts: &[Vec<Item>], need: &Name) -> Option<usize> {
    let by_name = items.iter().position(|item| item.names.contains(need));
    by_name.or_else(|| {
        let meant = named(drafts, need)?;
        items.iter().position(|item| item.shares(meant))
    })
}

fn named<'i>(drafts: &'i [Vec<Item>], name: &Name) -> Option<&'i Item> {
    drafts.iter().flatten().find(|item| item.names.contains(name))
}

fn title(drafts: &[Vec<Item>], need: &Name) -> String {
    let words = named(drafts, need).map_or(&need.id, |item| &item.title);
    format!("“{words}” ({})", need.from)
}
