//! Carries out a compiled operation.

use super::arguments::Given;
use super::compile::{Arguments, Compiled, RootKind};
use super::note;
use super::write::Writer;
use crate::context::Disclosed;
use crate::ids;
use crate::query::{ChildFilterInput, ChildOrderInput, child_order};
use async_graphql::{ID, ServerError, Variables};
use domain::Domain;
use domain::access::Actor;
use domain::read::plan::{Row, Rows, covers};
use domain::read::{ListQuery, Want};
use domain::statistics::Cell as StatisticsCell;
use domain::store::Cell;
use entity::DivisionCode;

/// What was written, and what it disclosed.
pub struct Written {
    pub data: Vec<u8>,
    pub errors: Vec<ServerError>,
    pub(crate) disclosed: Disclosed,
}

/// A root, ready to be read.
enum Ready {
    Typename,
    Child(Want, Cell),
    Children(Want, ListQuery),
    Statistics(DivisionCode),
}

enum Read {
    Typename,
    Child(Want, Option<Row>),
    Children(Want, Rows),
    Statistics(Vec<StatisticsCell>),
}

impl Compiled {
    /// None: the general way is for this request. Nothing was read that was not scoped, and nothing was told.
    pub async fn run(&self, domain: &Domain, actor: &Actor, variables: &Variables) -> Option<Written> {
        let given = Given::new(self, variables)?;
        let ready = self.roots.iter().map(|root| ready(domain, actor, &given, &root.what)).collect::<Option<Vec<Ready>>>()?;
        let reader = domain.reader(actor);
        let mut read = Vec::with_capacity(ready.len());
        for one in ready {
            read.push(match one {
                Ready::Typename => Read::Typename,
                Ready::Child(want, key) => {
                    let row = said(reader.planned_object(&want, key).await)?;
                    Read::Child(want, row)
                }
                Ready::Children(want, query) => {
                    let rows = said(reader.planned_list(&want, &query).await)?;
                    Read::Children(want, rows)
                }
                Ready::Statistics(division) => Read::Statistics(domain.statistics(actor, division).await.ok()?),
            });
        }
        let mut writer = Writer::new(actor);
        let mut disclosed = Disclosed::default();
        writer.out.push(b'{');
        for (n, (root, read)) in self.roots.iter().zip(&read).enumerate() {
            if n > 0 {
                writer.out.push(b',');
            }
            writer.out.extend_from_slice(format!("\"{}\":", root.key).as_bytes());
            writer.under(&root.key, |writer| match (&root.what, read) {
                (RootKind::Child { tree, fields, .. }, Read::Child(want, row)) => {
                    disclosed.protected = true;
                    match row {
                        Some(row) => {
                            note::row(&mut disclosed, want, row);
                            writer.object(tree.table, fields, row);
                        }
                        None => writer.out.extend_from_slice(b"null"),
                    }
                }
                (RootKind::Children { page, .. }, Read::Children(want, rows)) => {
                    disclosed.protected = true;
                    note::page(&mut disclosed, want, rows);
                    writer.page(page.tree.table, &page.pieces, rows);
                }
                (RootKind::Statistics { parts, .. }, Read::Statistics(cells)) => {
                    disclosed.protected = true;
                    writer.cells(parts, cells);
                }
                _ => writer.out.extend_from_slice(b"\"Query\""),
            });
        }
        writer.out.push(b'}');
        for (_, read) in self.roots.iter().zip(&read) {
            if let Read::Children(_, rows) = read {
                disclosed.looked_at(&rows.looked);
            }
        }
        disclosed.denied.append(&mut writer.denied);
        Some(Written { data: writer.out, errors: writer.errors, disclosed })
    }
}

/// The general way finds the words for what failed; that it failed here is for the log.
fn said<T>(read: domain::Result<T>) -> Option<T> {
    read.inspect_err(|error| tracing::warn!(%error, "a planned statement failed: the general way is taken")).ok()
}

fn ready(domain: &Domain, actor: &Actor, given: &Given<'_>, what: &RootKind) -> Option<Ready> {
    match what {
        RootKind::Typename => Some(Ready::Typename),
        RootKind::Child { arguments, tree, .. } => {
            let id = ids::expect(&given.get::<ID>(arguments, "id")?, "Child", "id").ok()?;
            let want = given.want(tree).filter(covers)?;
            Some(Ready::Child(want, Cell::Uuid(id)))
        }
        RootKind::Children { arguments, page, .. } => {
            let want = given.want(&page.tree).filter(covers)?;
            Some(Ready::Children(want, children(domain, actor, given, arguments, page.cursors)?))
        }
        RootKind::Statistics { arguments, .. } => {
            let code = match arguments.is_empty() {
                true => String::new(),
                false => given.get::<String>(arguments, "divisionCode").filter(|code| !code.is_empty())?,
            };
            let nation = code.bytes().all(|b| b == b'0');
            Some(Ready::Statistics(if nation { DivisionCode::NATION } else { DivisionCode::parse(&code)? }))
        }
    }
}

fn children(domain: &Domain, actor: &Actor, given: &Given<'_>, arguments: &Arguments, cursors: bool) -> Option<ListQuery> {
    let page = given.page(arguments, cursors)?;
    let filter = given.get::<Option<ChildFilterInput>>(arguments, "filter")?.unwrap_or_default().resolve().ok()?;
    let order = child_order(given.get::<Option<ChildOrderInput>>(arguments, "orderBy")?);
    domain.list_of_children(actor, &filter, order, page).ok()
}
