//! Reference data, open to everyone who is signed in.

crate::object! {
    /// An administrative division under one code.
    Division of division {
        /// Twelve digits: GB/T 2260 extended to township and village.
        code: division_code = code, always;
        /// Name.
        name: text = name, always;
        /// Name in pinyin, without tones or spaces.
        pinyin: text = pinyin, always;
        /// Initials of the pinyin.
        initials: text = initials, always;
        /// First day of the code; absent when it was in force before the data set's day.
        valid_from: date = valid_from;
        /// Day on which the code ended; absent while it is in force.
        valid_to: date = valid_to;
        one {
            /// The division above.
            parent -> Division;
        }
        list {
            /// The divisions above, from the province down, without this one.
            path -> Division;
        }
        many {
            /// The divisions right below, by code.
            children -> DivisionConnection;
            /// What became of this division.
            successors -> DivisionChangeConnection;
            /// What this division came from.
            predecessors -> DivisionChangeConnection;
        }
    }
    /// Administrative level, read off the code.
    async fn level(&self) -> Option<crate::scalars::Code<entity::codes::DivisionLevel>> {
        self.0.key().int().and_then(entity::DivisionCode::new).map(|code| crate::scalars::Code(code.level()))
    }
}

crate::object! {
    /// A renaming, recoding, merge or split: one for each pair of old and new.
    DivisionChange of division_change {
        /// Kind.
        kind: code(DivisionChangeKind) = kind, always;
        /// Code before.
        old_code: division_code = from_code, always;
        /// Name before.
        old_name: text = from_name, always;
        /// Code after.
        new_code: division_code = to_code, always;
        /// Name after.
        new_name: text = to_name, always;
        /// Day of the change.
        effective_on: date = effective_on, always;
        one {
            /// The division before.
            old_division as from_division -> Division;
            /// The division after.
            new_division as to_division -> Division;
        }
    }
}

crate::object! {
    /// An office, institution, school or other body.
    Organisation of organisation {
        /// Name.
        name: text = name, always;
        /// Kind.
        kind: code(OrganisationKind) = kind, always;
        /// State.
        state: code(AccountState) = state, always;
        /// Code of the division it stands in.
        division_code: division_code = division, always;
        /// When the record was made.
        created_at: time = created_at, always;
        /// When the record was last changed.
        updated_at: time = updated_at, always;
        one {
            /// The division it stands in.
            division -> Division;
            /// The organisation above.
            parent -> Organisation;
        }
    }
    /// Rises with each change; send it back as `expectedVersion`.
    async fn version(&self) -> i64 {
        crate::object::version(&self.0)
    }
}

crate::object! {
    /// A support programme.
    Programme of programme {
        /// Short code.
        code: text = code, always;
        /// Name in Chinese.
        name: text = name, always;
        /// Name in English.
        name_en: text = name_en, always;
        /// Document it rests on.
        basis: text = basis, always;
        many {
            /// Monthly rates by division and date, newest first.
            rates -> ProgrammeRateConnection;
        }
    }
}

crate::object! {
    /// The monthly rate of a programme in a division from a day on.
    ProgrammeRate of programme_rate {
        /// Place of care it holds for; absent: any.
        care_mode: code(CareMode) = care_mode;
        /// First day.
        valid_from: date = valid_from, always;
        /// Day on which it ended.
        valid_to: date = valid_to;
        /// Amount a month.
        monthly_amount: fen = monthly_amount, always;
        /// Code of the division.
        division_code: division_code = division, always;
        one {
            /// The programme.
            programme -> Programme;
            /// The division.
            division -> Division;
        }
    }
}

crate::connection! {
    DivisionConnection DivisionEdge Division "divisions";
    DivisionChangeConnection DivisionChangeEdge DivisionChange "changes of divisions";
    OrganisationConnection OrganisationEdge Organisation "organisations";
    ProgrammeConnection ProgrammeEdge Programme "programmes";
    ProgrammeRateConnection ProgrammeRateEdge ProgrammeRate "rates";
}
