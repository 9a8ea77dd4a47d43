//! What a short way disclosed, as `context` notes it of the general one.

use crate::context::{Disclosed, note_row};
use domain::read::Want;
use domain::read::plan::{Linked, Row, Rows};
use entity::DataClass;

pub(super) fn page(d: &mut Disclosed, want: &Want, rows: &Rows) {
    for one in &rows.rows {
        row(d, want, one);
    }
}

pub(super) fn row(d: &mut Disclosed, want: &Want, row: &Row) {
    note_row(d, want, row.key.uuid(), &row.access, row.child);
    for (link, linked) in want.links.iter().zip(&row.links) {
        match linked {
            Linked::One(Some(one)) => self::row(d, &link.want, one),
            Linked::Many(rows) => {
                if link.link.class == DataClass::Sealed {
                    d.looked.insert(DataClass::Sealed.name());
                    d.children.extend(row.child);
                }
                page(d, &link.want, rows);
            }
            Linked::One(None) | Linked::Denied => {}
        }
    }
}
