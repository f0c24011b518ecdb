//! The report of a demo run: one value that is written as `report.json` and as one HTML page.
//!
//! The page is a single file. It holds no script, loads nothing over a network, follows the
//! reader's light or dark setting, and prints. Its content security policy forbids everything that
//! it does not need, so that even text that was left unescaped by mistake could neither load nor
//! run anything. The same report always gives the same bytes.
//!
//! - [`DemoReport`] and its parts are the data, under the names of `report.json`;
//! - `story` tells what happened in sentences, `map` and `timeline` draw it, `tables` list it;
//! - `projection` is the geometry, `labels` places words, and `html` escapes text.
//!
//! **Absent here:** clocks, files, sockets, randomness. Floats serve for drawing only.

mod data;
mod html;
mod labels;
mod map;
mod projection;
mod story;
mod tables;
mod timeline;
mod trading;

use std::fmt::Display;

pub use data::{
    Agent, Assignment, DemoReport, Ended, GeoPoint, Height, Refusal, Stop, Summary, Task,
    TaskState, Validator,
};
pub use trading::{Bar, Collusion, Fill, Mechanism, Order, Trading};

use html::{Section, duration, escape, section};

/// The content security policy of the page: it may use its own style and nothing else.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'";

impl DemoReport {
    /// Returns the whole page as HTML5.
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
            "<footer><p>This page shows what the run reports about itself, and proves nothing. The \
             certificates are the proof: check them with <code>{}</code>.</p></footer>\n",
            escape(&self.verify_command())
        )
    }

    /// Returns the command that checks every certificate, to be run in the run folder.
    pub fn verify_command(&self) -> String {
        format!(
            "quorate audit verify {}/* --trust {}",
            self.certificate_dir, self.trust_root
        )
    }
}

impl DemoReport {
    /// Returns the counts of the run as a row of tiles.
    fn tiles(&self) -> String {
        let mut row = String::from("<ul class=\"tiles\">\n");
        let of_tasks = match &self.trading {
            Some(trading) => trading::tiles(trading),
            None => vec![self.summary.completed_tile()],
        };

        for tile in of_tasks.into_iter().chain(self.summary.tiles()) {
            row += &tile.to_html();
        }

        row + "</ul>\n"
    }
}

impl Summary {
    fn completed_tile(&self) -> Tile {
        Tile::part("tasks completed", self.completed, self.tasks)
    }

    /// Returns the tiles that follow those of the tasks.
    fn tiles(&self) -> Vec<Tile> {
        let verified = self.certificates_verified;
        let mut tiles = vec![
            Tile::part("certificates verified", verified, self.certificates),
            Tile::part("auctions run again", self.auctions_replayed, self.auctions),
            Tile::number("bids refused", self.refused_bids),
        ];

        // Only the drone demonstration kills and reassigns.
        if let Some(killed) = self.killed_drones {
            tiles.push(Tile::number("reassigned", self.reassigned));
            tiles.push(Tile::number("drones killed", killed));
            tiles.push(Tile::number("validators killed", self.killed_validators));
        }

        tiles.push(Tile::number("heights decided", self.heights));

        tiles
    }
}

/// A count of the run with its name. `value` is markup; `warn` marks the tile.
struct Tile {
    name: &'static str,
    value: String,
    warn: bool,
}

impl Tile {
    fn number(name: &'static str, number: impl Display) -> Self {
        Self {
            name,
            value: number.to_string(),
            warn: false,
        }
    }

    /// Returns a tile of a part and its whole. It is marked if the part is the smaller one, such as
    /// certificates that verified if others did not.
    fn part<T: Display + PartialOrd>(name: &'static str, part: T, whole: T) -> Self {
        Self {
            name,
            value: format!("{part}<small>/{whole}</small>"),
            warn: part < whole,
        }
    }

    fn to_html(&self) -> String {
        let Self { name, value, warn } = self;
        let class = if *warn { " class=\"warn\"" } else { "" };
        format!("<li{class}><b>{value}</b><span>{name}</span></li>\n")
    }
}
