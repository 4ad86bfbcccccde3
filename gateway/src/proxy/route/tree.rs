//! The tree of path patterns, a level a segment.
//!
//! Guarantees: patterns that match are visited from the most specific to the least: reading from the left, text comes before a
//! parameter, a parameter with text around it before one without, and a catch-all last. What a look-up costs grows with the
//! segments of the path, not with the number of routes. Must not: look at anything but a path.

use std::rc::Rc;

use hashbrown::HashMap;

use super::Route;
use crate::proxy::settings::{MAX_PARAMETERS, Pattern, Segment};

/// All routes of one host.
#[derive(Debug, Default)]
pub(super) struct Tree {
    root: Node,
}

#[derive(Debug, Default)]
struct Node {
    text: HashMap<Box<str>, Node>,
    parameters: Vec<Parameter>,
    /// Routes whose pattern ends here.
    routes: Vec<Rc<Route>>,
    /// Routes that take whatever follows.
    rest: Vec<Rc<Route>>,
}

#[derive(Debug)]
struct Parameter {
    before: Box<str>,
    after: Box<str>,
    node: Node,
}

impl Parameter {
    /// What stands for the parameter in `segment`, if it fits.
    fn value<'p>(&self, segment: &'p str) -> Option<&'p str> {
        let value = segment
            .strip_prefix(&*self.before)?
            .strip_suffix(&*self.after)?;
        (!value.is_empty()).then_some(value)
    }

    fn affixes(&self) -> usize {
        self.before.len() + self.after.len()
    }
}

/// The values of a pattern's parameters, in order.
#[derive(Clone, Copy)]
struct Values<'p> {
    values: [&'p str; MAX_PARAMETERS],
    length: usize,
}

impl<'p> Values<'p> {
    fn with(&self, value: &'p str) -> Self {
        let mut more = *self;
        if let Some(place) = more.values.get_mut(more.length) {
            *place = value;
            more.length += 1;
        }
        more
    }

    fn get(&self) -> &[&'p str] {
        self.values.get(..self.length).unwrap_or_default()
    }
}

impl Tree {
    /// Adds a route under its pattern, after those that are there.
    pub(super) fn insert(&mut self, pattern: &Pattern, route: Rc<Route>) {
        let mut node = &mut self.root;
        for segment in &pattern.segments {
            node = match segment {
                Segment::Text(text) => node.text.entry(text.clone()).or_default(),
                Segment::Parameter { before, after } => node.parameter(before, after),
                Segment::Rest => {
                    node.rest.push(route);
                    return;
                }
            };
        }
        node.routes.push(route);
    }

    /// Routes that ask more of a request's head come first; of equals the one that was written first.
    pub(super) fn finish(&mut self) {
        self.root.finish();
    }

    /// Shows the routes of each pattern that matches `path` to `visit`, with the values of its parameters, until it has found.
    pub(super) fn search<'p, T>(
        &self,
        path: &'p str,
        visit: &mut impl FnMut(&[Rc<Route>], &[&'p str]) -> Option<T>,
    ) -> Option<T> {
        let none = Values {
            values: [""; MAX_PARAMETERS],
            length: 0,
        };
        self.root.search(path.strip_prefix('/'), &none, visit)
    }
}

impl Node {
    fn parameter(&mut self, before: &str, after: &str) -> &mut Self {
        let known = |one: &Parameter| *one.before == *before && *one.after == *after;
        let place = self.parameters.iter().position(known).unwrap_or_else(|| {
            self.parameters.push(Parameter {
                before: before.into(),
                after: after.into(),
                node: Self::default(),
            });
            self.parameters.len() - 1
        });
        &mut self.parameters[place].node
    }

    fn finish(&mut self) {
        for routes in [&mut self.routes, &mut self.rest] {
            routes.sort_by_key(|route| std::cmp::Reverse(route.settings.headers.len()));
        }
        self.parameters
            .sort_by_key(|one| std::cmp::Reverse(one.affixes()));
        let below = self.parameters.iter_mut().map(|one| &mut one.node);
        for node in self.text.values_mut().chain(below) {
            node.finish();
        }
    }

    /// `path` is what is left after the slash before it; none at its end. No deeper than the longest pattern.
    fn search<'p, T>(
        &self,
        path: Option<&'p str>,
        values: &Values<'p>,
        visit: &mut impl FnMut(&[Rc<Route>], &[&'p str]) -> Option<T>,
    ) -> Option<T> {
        let Some(path) = path else {
            return visit(&self.routes, values.get());
        };
        let (segment, rest) = match memchr::memchr(b'/', path.as_bytes()) {
            Some(at) => (&path[..at], Some(&path[at + 1..])),
            None => (path, None),
        };
        if let Some(node) = self.text.get(segment)
            && let Some(found) = node.search(rest, values, visit)
        {
            return Some(found);
        }
        for parameter in &self.parameters {
            if let Some(value) = parameter.value(segment)
                && let Some(found) = parameter.node.search(rest, &values.with(value), visit)
            {
                return Some(found);
            }
        }
        if self.rest.is_empty() {
            return None;
        }
        visit(&self.rest, values.with(path).get())
    }
}
