//! What `deploy/` and completions say of the command is true.
//!
//! Must never need systemd, a container engine or a shell.
//! Tests: this is the test.

use crate::support::Home;

fn file(path: &str) -> String {
    std::fs::read_to_string(format!("{}/../../{path}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

#[test]
fn the_unit_and_the_image_start_the_command_with_options_that_it_has() {
    let (unit, image) = (file("deploy/flowdeck.service"), file("deploy/Containerfile"));
    let start = unit.lines().find_map(|line| line.strip_prefix("ExecStart=/usr/bin/flowdeck ")).unwrap();
    let command = image.lines().find_map(|line| line.strip_prefix("CMD ")).unwrap();
    let command = serde_json::from_str::<Vec<String>>(command).unwrap().join(" ");
    let help = Home::new().say(&["serve", "--help"]).out;
    for line in [start, command.as_str()] {
        assert!(line.starts_with("serve "), "{line}");
        for option in line.split(' ').filter(|word| word.starts_with("--")) {
            assert!(help.contains(&format!("{option} <")), "{option} of `{line}` is not in\n{help}");
        }
    }
    for variable in image.split(['\n', ' ']).filter_map(|word| word.split_once('=')).map(|(name, _)| name) {
        let known = ["FLOWDECK_DATA", "FLOWDECK_KEY_FILE", "XDG_RUNTIME_DIR"].contains(&variable);
        assert!(known || !variable.starts_with("FLOWDECK"), "{variable}");
    }
}

#[test]
fn completions_know_every_command() {
    let home = Home::new();
    let help = home.say(&["--help"]).out;
    let commands = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let commands: Vec<&str> = commands.filter_map(|line| line.split_whitespace().next()).collect();
    assert!(commands.contains(&"serve") && commands.contains(&"completions"), "{help}");
    for shell in ["bash", "zsh", "fish"] {
        let script = home.say(&["completions", shell]).check(0, &[]).out;
        for command in &commands {
            assert!(script.contains(command), "{shell} does not complete {command}");
        }
    }
    home.say(&["completions", "csh"]).check(2, &["invalid value 'csh'", "bash"]);
}
