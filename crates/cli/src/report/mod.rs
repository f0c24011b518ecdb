//! The report of a demo run: one value that is written as `report.json` and as one HTML page.
//!
//! The page is a single file. It holds no script, asks for nothing over a network, follows the
//! reader's light or dark setting, and prints. Its policy header forbids what it does not need, so
//! that even a mistake in escaping could load or run nothing. The same report always gives the
//! same bytes.
//!
//! - [`Report`] and its parts are the data, in the names of `report.json`;
//! - `story` tells what happened in sentences, `map` and `timeline` draw it, `tables` list it;
//! - `projection`, `labels` and `html` are the geometry, the placing of words, and the escaping.
//!
//! **Absent here:** clocks, files, sockets, randomness. Floats are coordinates for the eye only.

mod data;
mod html;
mod labels;
mod map;
mod projection;
mod story;
mod tables;
mod timeline;
mod trading;

pub use data::{
    Agent, Assignment, Ended, Height, Place, Refusal, Report, Stop, Summary, Task, TaskState,
    Validator,
};
pub use trading::{Bar, Collusion, Fill, Mechanism, Order, Trading};

use html::{Section, duration, escape, section};

/// The only thing the page may use is its own style.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'";

impl Report {
    /// The whole page, in HTML5.
    pub fn to_html(&self) -> String {
        format!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta name=\"color-scheme\" content=\"light dark\">\n\
             <title>{title}</title>\n<style>\n{style}{highlight}</style>\n</head>\n<body>\n\
             {header}<main>\n{body}</main>\n{footer}</body>\n</html>\n",
            title = escape(&self.title),
            style = include_str!("style.css"),
            highlight = map::highlight_rules(self.agents.len()),
            header = self.header(),
            body = self.sections(),
            footer = self.footer(),
        )
    }

    fn sections(&self) -> String {
        let mut page = String::new();
        page += &section(Section {
            id: "happened",
            title: "What happened",
            lead: "",
            body: &story::list(self),
        });
        page += &match &self.trading {
            Some(trading) => trading::sections(self, trading),
            None => section(Section {
                id: "map",
                title: "Who flew what",
                lead: "Dots are tasks, in the colour of the drone that completed them; lines are \
                       flown paths. Point at a drone to see it alone.",
                body: &map::figure(self),
            }),
        };
        page += &section(Section {
            id: "timeline",
            title: "Rounds and awards",
            lead: "Above, the blocks that each validator built. Below, the leases that each \
                   agent held, from award to end.",
            body: &timeline::figure(self),
        });
        page += &tables::sections(self);
        page
    }

    fn header(&self) -> String {
        format!(
            "<header>\n<p class=\"brand\">Quorate <span>run report</span></p>\n<h1>{}</h1>\n\
             <p class=\"meta\">{} · {} · {} validators, {} {}s</p>\n{}<dl class=\"swarm\">\
             <div><dt>Swarm</dt><dd><code>{}</code></dd></div>\
             <div><dt>Fingerprint of the trust root</dt><dd><code>{}</code></dd></div></dl>\n\
             </header>\n",
            escape(&self.title),
            escape(&self.started),
            duration(self.duration_ms),
            self.validators.len(),
            self.agents.len(),
            self.noun(),
            self.tiles(),
            escape(&self.swarm_id),
            escape(&self.fingerprint),
        )
    }

    fn footer(&self) -> String {
        format!(
            "<footer><p>This page shows what the run says of itself and proves nothing. The \
             certificates do: check them with <code>{}</code>.</p></footer>\n",
            escape(&self.verify_command())
        )
    }

    /// What an auditor types, in the run folder, to check every certificate.
    pub fn verify_command(&self) -> String {
        format!(
            "quorate audit verify {}/* --trust {}",
            self.certificate_dir, self.trust_root
        )
    }
}

impl Report {
    /// The numbers of the run as a row of tiles; `warn` marks a pair that differs and should not.
    fn tiles(&self) -> String {
        let summary = &self.summary;
        let pair = |part: u64, whole: u64| (format!("{part}<small>/{whole}</small>"), part < whole);
        let number = |number: u64| (number.to_string(), false);
        let verified = pair(summary.certificates_verified, summary.certificates);
        let mut tiles = match &self.trading {
            Some(trading) => trading::tiles(trading),
            None => vec![("tasks completed", pair(summary.completed, summary.tasks))],
        };
        tiles.push(("certificates verified", verified));
        tiles.push((
            "auctions run again",
            pair(summary.auctions_replayed, summary.auctions),
        ));
        tiles.push(("bids refused", number(summary.refused_bids)));
        if let Some(killed) = summary.killed_drones {
            tiles.push(("reassigned", number(summary.reassigned)));
            tiles.push(("drones killed", number(killed)));
            tiles.push(("validators killed", number(summary.killed_validators)));
        }
        tiles.push(("heights decided", number(summary.heights)));
        let mut row = String::from("<ul class=\"tiles\">\n");
        for (name, (value, warn)) in tiles {
            let class = if warn { " class=\"warn\"" } else { "" };
            row += &format!("<li{class}><b>{value}</b><span>{name}</span></li>\n");
        }
        row + "</ul>\n"
    }
}
