//! The values of arguments, as the executor would make them. None: the general way finds the words for what is wrong.

use super::compile::{Arguments, Compiled, Tree};
use async_graphql::{InputType, Name, Variables};
use async_graphql_value::{ConstValue, Value};
use domain::read::{LinkWant, PageArgs, Want};

pub(super) struct Given<'r> {
    compiled: &'r Compiled,
    variables: &'r Variables,
}

impl<'r> Given<'r> {
    pub fn new(compiled: &'r Compiled, variables: &'r Variables) -> Option<Given<'r>> {
        let fits = |(name, declared): (&Name, &super::compile::Declared)| match variables.get(name) {
            Some(ConstValue::Null) => declared.nullable,
            Some(_) => true,
            None => declared.default.is_some(),
        };
        compiled.variables.iter().all(fits).then_some(Given { compiled, variables })
    }

    fn value(&self, value: &Value) -> Option<ConstValue> {
        let known = |name: Name| {
            let default = || self.compiled.variables.get(&name).and_then(|declared| declared.default.clone());
            self.variables.get(&name).cloned().or_else(default).ok_or(())
        };
        value.clone().into_const_with(known).ok()
    }

    /// The value of an argument.
    pub fn get<T: InputType>(&self, arguments: &Arguments, name: &str) -> Option<T> {
        let value = match arguments.iter().find(|(known, _)| known == name) {
            Some((_, value)) => Some(self.value(value)?),
            None => None,
        };
        T::parse(value).ok()
    }

    pub fn page(&self, arguments: &Arguments, cursors: bool) -> Option<PageArgs> {
        let size = |name| self.get::<Option<i32>>(arguments, name).map(|n| n.map(i64::from));
        let args = PageArgs::new(size("first")?, self.get(arguments, "after")?, size("last")?, self.get(arguments, "before")?, crate::selection::MOST).ok()?;
        Some(PageArgs { cursors, ..args })
    }

    pub fn want(&self, tree: &Tree) -> Option<Want> {
        let links = tree.links.iter().map(|branch| {
            let page = match &branch.page {
                Some((arguments, cursors)) => self.page(arguments, *cursors)?,
                None => PageArgs { cursors: false, ..PageArgs::default() },
            };
            Some(LinkWant { key: String::new(), link: branch.link, page, want: self.want(&branch.tree)? })
        });
        Some(Want { table: tree.table, columns: tree.columns.clone(), links: links.collect::<Option<Vec<_>>>()? })
    }
}
