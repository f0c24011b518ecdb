//! Missions in files as they occur: good ones, bad ones, and ones of two possible formats.

use super::*;

const CSV: &str = "\u{feff}Id, lat ,LNG,Demand,duration,tw_start,TW_END,Requires,note\n\
    a,52.5,13.4,2,5,2020-07-04T08:00:00Z,2020-07-04T12:00:00Z,thermal-camera zoom,x\n\
    b,52.6,13.5,-3,,,,,\n\
    a,52.7,13.6,-1,0.5,,2020-07-04T09:00:00Z\n";

fn point(properties: &str) -> String {
    format!(
        r#"{{"type":"FeatureCollection","features":[{{"type":"Feature","properties":{properties},
        "geometry":{{"type":"Point","coordinates":[13.4,52.5,30]}}}}]}}"#
    )
}

#[test]
fn a_csv_mission_is_read_and_rows_of_one_id_are_one_task() {
    let mission = Mission::parse("m.CSV", CSV).unwrap();
    assert_eq!(mission.begins, 1_593_849_600);
    let [a, b] = &mission.tasks[..] else {
        panic!("{:?}", mission.tasks)
    };

    assert_eq!((a.task.id.as_str(), a.task.demand_g), ("a", 2));
    assert_eq!(a.task.visit.point, Point::new(52.5, 13.4));
    assert_eq!(
        (a.task.visit.service_s, a.task.visit.window),
        (300, Some((0, 14_400)))
    );

    assert_eq!(a.task.then.len(), 1);
    assert_eq!(
        (a.task.then[0].service_s, a.task.then[0].window),
        (30, Some((0, 3_600)))
    );
    assert_eq!(a.requires.len(), 2);

    assert_eq!((b.task.demand_g, b.task.visit.window), (3, None));
    let spec = a.spec("drones".parse().unwrap());
    assert_eq!(
        spec.requires.amounts.values().copied().collect::<Vec<_>>(),
        [2]
    );
    assert_eq!(
        DroneTask::from_payload(&spec.payload.0),
        Some(a.task.clone())
    );
    assert_eq!(spec.check(), Ok(()));
}

#[test]
fn a_delivery_before_its_pickup_is_flown_after_it() {
    let mission = Mission::from_csv("m", "id,lat,lng,demand\nx,1,1,-5\nx,2,2,5\n").unwrap();
    let visits: Vec<_> = mission.tasks[0]
        .task
        .visits()
        .map(|visit| visit.point.lat)
        .collect();
    assert_eq!(visits, [2.0, 1.0]);
}

#[test]
fn a_geojson_mission_is_read() {
    let properties = r#"{"id":"x","demand":7,"duration":2,"tw_start":"2020-07-04T08:00:00Z",
        "requires":["thermal-camera"]}"#;
    for name in ["m.geojson", "m.json", "m"] {
        let mission = Mission::parse(name, &point(properties)).unwrap();
        let task = &mission.tasks[0].task;
        assert_eq!(
            (task.id.as_str(), task.demand_g, task.visit.service_s),
            ("x", 7, 120)
        );
        assert_eq!(task.visit.point, Point::new(52.5, 13.4));
    }

    let bare = Mission::parse("m", &point("null")).unwrap();
    assert_eq!(bare.tasks[0].task.id, "point-1");
}

#[test]
fn a_plan_gives_its_waypoints() {
    let plan = r#"{"fileType":"Plan","mission":{"items":[
        {"command":22,"params":[0,0,0,null,47.1,8.1,5]},
        {"command":16,"params":[90,0,0,null,47.2,8.2,5]}]}}"#;
    for name in ["m.plan", "m"] {
        let mission = Mission::parse(name, plan).unwrap();
        let task = &mission.tasks[0].task;
        assert_eq!((task.id.as_str(), task.visit.service_s), ("waypoint-2", 90));
        assert_eq!(task.visit.point, Point::new(47.2, 8.2));
    }
}

#[test]
fn errors_name_file_place_and_remedy() {
    let table = [
        (
            "m.csv",
            "id,lat\na,1\n",
            "m.csv: line 1, column LNG: missing; add it",
        ),
        (
            "m.csv",
            "id,lat,lng\n",
            "m.csv: no tasks; add at least one point",
        ),
        ("m.csv", "", "m.csv: line 1, column ID: missing; add it"),
        (
            "m.csv",
            "id,lat,lng\na,1,\n",
            "m.csv: line 2, column LNG: missing; add it",
        ),
        (
            "m.csv",
            "id,lat,lng\na,1,2\nb,x,2\n",
            "m.csv: line 3, column LAT: `x` is not a number; write it with a decimal point and \
             without units",
        ),
        (
            "m.csv",
            "id,lat,lng\na,91,2\n",
            "m.csv: line 2, column LAT: 91 is out of range; write degrees, -90 to 90",
        ),
        (
            "m.csv",
            "id,lat,lng\na,NaN,2\n",
            "m.csv: line 2, column LAT: NaN is out of range; write degrees, -90 to 90",
        ),
        (
            "m.csv",
            "id,lat,lng,demand\na,1,2,0.5\n",
            "m.csv: line 2, column DEMAND: 0.5 is out of range; write whole grams, -1000000 to \
             1000000",
        ),
        (
            "m.csv",
            "id,lat,lng,duration\na,1,2,-1\n",
            "m.csv: line 2, column DURATION: -1 is out of range; write minutes, 0 to 1440",
        ),
        (
            "m.csv",
            "id,lat,lng,tw_end\na,1,2,noon\n",
            "m.csv: line 2, column TW_END: `noon` is not a time; write RFC 3339 as in \
             2020-07-04T08:00:00Z",
        ),
        (
            "m.csv",
            "id,lat,lng,tw_start,tw_end\na,1,2,2020-07-05T00:00:00Z,2020-07-04T00:00:00Z\n",
            "m.csv: line 2, column TW_END: the window ends before it begins; exchange the two \
             times",
        ),
        (
            "m.csv",
            "id,lat,lng,requires\na,1,2,Thermal\n",
            "m.csv: line 2, column REQUIRES: `Thermal` is not a valid label: use 1 to 32 of \
             a-z, 0-9, `-`, `_`, `.`",
        ),
        (
            "m.json",
            "{}",
            "m.json: neither a GeoJSON FeatureCollection nor a QGroundControl plan",
        ),
        (
            "m.plan",
            "{}",
            "m.plan: neither a GeoJSON FeatureCollection nor a QGroundControl plan",
        ),
        (
            "m.geojson",
            r#"{"type":"FeatureCollection","features":[{"geometry":{"type":"Polygon"}}]}"#,
            "m.geojson: feature 1, geometry: `Polygon` is not a Point; replace it by the point to \
             fly to",
        ),
    ];
    for (file, text, message) in table {
        let error = Mission::parse(file, text).unwrap_err();
        assert_eq!(error.to_string(), message, "{text}");
    }

    let error = Mission::parse("m", &point(r#"{"demand":"2 kg"}"#))
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with("m: feature 1, demand: `\"2 kg\"` is not a number"),
        "{error}"
    );

    let error = Mission::parse("m", "{").unwrap_err().to_string();
    assert!(error.starts_with("m: not JSON"), "{error}");

    let error = Mission::read(Path::new("/nonexistent.csv"))
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with("/nonexistent.csv: cannot be read"),
        "{error}"
    );
}

#[test]
fn too_many_rows_of_one_id_are_refused() {
    let text = format!("id,lat,lng\n{}", "a,1.25,2.5\n".repeat(500));
    let error = Mission::from_csv("m", &text).unwrap_err();
    assert!(matches!(error.problem, Problem::Payload { .. }), "{error}");
}

/// The jobs of reinterpretcat/vrp, if they are on this machine: three jobs, one of them a pickup
/// with delivery.
#[test]
fn jobs_of_another_project_are_read() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let data = std::env::var_os("QUORATE_DATA").map_or(here, Into::into);
    let drone = data.join("drone");
    if !drone.join("jobs.csv").exists() {
        eprintln!(
            "skipped: no {}; set QUORATE_DATA",
            drone.join("jobs.csv").display()
        );
        return;
    }

    let mission = Mission::read(&drone.join("jobs.csv")).unwrap();
    let tasks: Vec<_> = mission
        .tasks
        .iter()
        .map(|t| (t.task.id.as_str(), t.task.demand_g, t.task.visits().count()))
        .collect();
    assert_eq!(tasks, [("job1", 2, 1), ("job2", 1, 2), ("job3", 3, 1)]);
    assert_eq!(mission.begins, 1_593_849_600);
    assert_eq!(mission.tasks[2].task.visit.window, Some((0, 28_800)));

    let plan = Mission::read(&drone.join("triangle_gripper_package_delivery.plan")).unwrap();
    assert_eq!(plan.tasks.len(), 2);
}

/// The missions that ship with the repository.
#[test]
fn the_examples_are_missions() {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/drones");
    for (file, tasks) in [("spree.csv", 12), ("bridges.geojson", 100)] {
        let mission = Mission::read(&examples.join(file)).unwrap();
        assert_eq!(mission.tasks.len(), tasks, "{file}");

        let thermal = mission
            .tasks
            .iter()
            .filter(|task| !task.requires.is_empty())
            .count();
        assert!(
            (1..=tasks / 4).contains(&thermal),
            "{file}: {thermal} need a camera"
        );

        let center = mission.center().unwrap();
        for task in &mission.tasks {
            for visit in task.task.visits() {
                let away = visit.point.distance_m(&center);
                assert!(away < 15_000.0, "{file}: {} is {away} m away", task.task.id);
            }
            assert_eq!(task.spec("drones".parse().unwrap()).check(), Ok(()));
        }
    }
}

proptest::proptest! {
    #[test]
    fn no_text_panics(text in "\\PC{0,200}", name in "m\\.(csv|geojson|plan|json)") {
        let _ = Mission::parse(&name, &text);
    }

    #[test]
    fn no_field_panics(field in "[-0-9.eEnNaAiIfF:TZ+ ]{0,30}") {
        let row = [field.as_str(); 6].join(",");
        let text = format!("id,lat,lng,demand,duration,tw_start,tw_end\na,{row}\n");
        let _ = Mission::from_csv("m", &text);
    }
}
