//! What travels with a request: the domain, the actor, and the trail of what was disclosed.

use async_graphql::Context;
use domain::Domain;
use domain::access::{Actor, Language, RowAccess};
use domain::audit::Objects;
use domain::read::{Page, Record, Related, Want};
use entity::{DataClass, Family};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use uuid::Uuid;

pub fn domain<'c>(ctx: &Context<'c>) -> &'c Domain {
    ctx.data_unchecked::<Domain>()
}
pub fn actor<'c>(ctx: &Context<'c>) -> &'c Actor {
    ctx.data_unchecked::<Actor>()
}
pub fn trail<'c>(ctx: &Context<'c>) -> &'c Trail {
    ctx.data_unchecked::<Trail>()
}
pub fn language(ctx: &Context<'_>) -> Language {
    actor(ctx).language
}
pub fn request_id<'c>(ctx: &Context<'c>) -> &'c str {
    &actor(ctx).request_id
}

#[derive(Default)]
pub struct Disclosed {
    pub objects: Objects,
    /// Classes that were looked at, whatever was found.
    pub looked: BTreeSet<&'static str>,
    pub children: BTreeSet<Uuid>,
    pub denied: BTreeSet<String>,
    pub protected: bool,
    /// A mutation changed nothing, and said why.
    pub refused: bool,
    /// Something was seen only because the glass was broken.
    pub break_glass: bool,
}

impl Disclosed {
    pub fn looked_at(&mut self, classes: &[DataClass]) {
        self.looked.extend(classes.iter().filter(|class| **class != DataClass::Public).map(|class| class.name()));
    }
}

/// What one operation disclosed and denied.
#[derive(Clone, Default)]
pub struct Trail(Arc<Mutex<Disclosed>>);

impl Trail {
    fn with(&self, change: impl FnOnce(&mut Disclosed)) {
        if let Ok(mut disclosed) = self.0.lock() {
            change(&mut disclosed);
        }
    }
    pub fn take(&self) -> Disclosed {
        self.0.lock().map(|mut disclosed| std::mem::take(&mut *disclosed)).unwrap_or_default()
    }
    pub fn denied(&self, what: &str) {
        self.with(|d| {
            d.protected = true;
            d.denied.insert(what.to_owned());
        });
    }
    pub fn refused(&self) {
        self.with(|d| d.refused = true);
    }
    /// Something protected was asked for, whatever came of it.
    pub fn protected(&self) {
        self.with(|d| d.protected = true);
    }
    /// Classes that were looked at, whatever was found.
    pub fn looked(&self, classes: &[DataClass]) {
        self.with(|d| {
            d.protected = true;
            d.looked.extend(classes.iter().map(|class| class.name()));
        });
    }
    pub fn page(&self, want: &Want, page: &Page) {
        self.with(|d| {
            d.protected |= want.table.family != Family::Reference;
            note_page(d, want, page);
        });
    }
    pub fn record(&self, want: &Want, record: Option<&Record>) {
        self.with(|d| {
            d.protected |= want.table.family != Family::Reference;
            if let Some(record) = record {
                note(d, want, record);
            }
        });
    }
}

fn note_page(d: &mut Disclosed, want: &Want, page: &Page) {
    d.looked_at(&page.looked);
    for (_, record) in &page.rows {
        note(d, want, record);
    }
}

/// One row, without what hangs on it.
pub(crate) fn note_row(d: &mut Disclosed, want: &Want, id: Option<Uuid>, access: &RowAccess, child: Option<Uuid>) {
    let Some(id) = id.filter(|_| want.table.family != Family::Reference) else { return };
    // The access that lets one through here stands beside what it let through.
    if let Some(named) = access.named {
        d.objects.add("ChildAccess", named.access, 0, 0);
        d.break_glass |= named.break_glass;
    }
    let (shown, masked) = want.disclosed(access);
    if shown | masked != 0 || want.columns.is_empty() {
        // That there are sealed records is not told here either: who looked at them stands on record with the child.
        if want.table.name != "sealed_record" {
            d.objects.add(want.table.type_name, id, shown, masked);
        }
        d.children.extend(child);
    }
}

fn note(d: &mut Disclosed, want: &Want, record: &Record) {
    note_row(d, want, record.id(), &record.access, record.child);
    for link in &want.links {
        match record.related.get(&link.key) {
            Some(Related::One(Some(one))) => note(d, &link.want, one),
            Some(Related::Many(page)) => {
                if link.link.class == DataClass::Sealed {
                    d.looked.insert(DataClass::Sealed.name());
                    d.children.extend(record.child);
                }
                note_page(d, &link.want, page);
            }
            _ => {}
        }
    }
}
