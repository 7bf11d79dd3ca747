//! ACLs by Kafka's own wire (CreateAcls, DescribeAcls and DeleteAcls, version 1, by hand): in a moment, where a run of
//! `kafka-acls` takes seconds. The listener must be the administrator's.

use std::collections::BTreeSet;
use std::fmt;
use std::io::{Read, Write};
use std::net::TcpStream;

use crate::wait::DEADLINE;

/// The right to do an operation on a resource: `Read on Topic:orders`, as Flowdeck words it, too.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rule {
    /// Of Topic, Group, Cluster, TransactionalId.
    pub resource: &'static str,
    pub name: String,
    pub operation: &'static str,
}

impl Rule {
    /// Panics where Kafka has no such operation or resource.
    pub fn new(operation: &str, resource: &str, name: &str) -> Self {
        let word = |all: &[(&'static str, i8)], word: &str| {
            let found = all.iter().find(|(known, _)| *known == word);
            found.unwrap_or_else(|| panic!("{word} is not Kafka's")).0
        };
        Self {
            operation: word(&OPERATIONS, operation),
            resource: word(&RESOURCES, resource),
            name: name.to_owned(),
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on {}:{}", self.operation, self.resource, self.name)
    }
}

/// As the wire numbers them.
const OPERATIONS: [(&str, i8); 11] = [
    ("All", 2),
    ("Read", 3),
    ("Write", 4),
    ("Create", 5),
    ("Delete", 6),
    ("Alter", 7),
    ("Describe", 8),
    ("ClusterAction", 9),
    ("DescribeConfigs", 10),
    ("AlterConfigs", 11),
    ("IdempotentWrite", 12),
];
const RESOURCES: [(&str, i8); 4] = [("Topic", 2), ("Group", 3), ("Cluster", 4), ("TransactionalId", 5)];
const DESCRIBE: i16 = 29;
const CREATE: i16 = 30;
const DELETE: i16 = 31;
const ANY: i8 = 1;
const LITERAL: i8 = 3;
const ALLOW: i8 = 3;
/// Longer than any answer here.
const ANSWER_MAX: usize = 1 << 20;

pub(crate) fn create(bootstrap: &str, user: &str, rules: &BTreeSet<Rule>) {
    let mut body = Vec::new();
    body.extend((rules.len() as i32).to_be_bytes());
    for rule in rules {
        binding(&mut body, user, rule);
    }
    let answer = ask(bootstrap, CREATE, &body);
    let mut answer = Answer(&answer);
    answer.int();
    for _ in 0..answer.int() {
        let (code, words) = (answer.short(), answer.string());
        assert_eq!(code, 0, "an ACL was refused: {words}");
    }
}

pub(crate) fn delete(bootstrap: &str, user: &str, rule: &Rule) {
    let mut body = 1_i32.to_be_bytes().to_vec();
    // A filter that leaves nothing open has the form of what it finds.
    binding(&mut body, user, rule);
    let answer = ask(bootstrap, DELETE, &body);
    let mut answer = Answer(&answer);
    let (_throttled, _one) = (answer.int(), answer.int());
    let (code, words, found) = (answer.short(), answer.string(), answer.int());
    assert_eq!((code, found), (0, 1), "{rule} of {user} was not deleted: {words}");
}

fn binding(out: &mut Vec<u8>, user: &str, rule: &Rule) {
    let number = |all: &[(&str, i8)], word: &str| all.iter().find(|(known, _)| *known == word).unwrap().1;
    byte(out, number(&RESOURCES, rule.resource));
    string(out, &rule.name);
    byte(out, LITERAL);
    string(out, &principal(user));
    string(out, "*");
    byte(out, number(&OPERATIONS, rule.operation));
    byte(out, ALLOW);
}

/// What the broker itself lets `user` do, by its ACLs.
pub(crate) fn describe(bootstrap: &str, user: &str) -> BTreeSet<Rule> {
    let mut body = Vec::new();
    byte(&mut body, ANY);
    body.extend((-1_i16).to_be_bytes());
    byte(&mut body, ANY);
    string(&mut body, &principal(user));
    body.extend((-1_i16).to_be_bytes());
    byte(&mut body, ANY);
    byte(&mut body, ANY);
    let answer = ask(bootstrap, DESCRIBE, &body);
    let mut answer = Answer(&answer);
    answer.int();
    let (code, words) = (answer.short(), answer.string());
    assert_eq!(code, 0, "ACLs could not be listed: {words}");
    let word = |all: &[(&'static str, i8)], number: i8| {
        all.iter().find(|(_, known)| *known == number).expect("a known number").0
    };
    let mut rules = BTreeSet::new();
    for _ in 0..answer.int() {
        let resource = word(&RESOURCES, answer.byte());
        let name = answer.string();
        assert_eq!(answer.byte(), LITERAL, "{name}");
        for _ in 0..answer.int() {
            let (_principal, _host) = (answer.string(), answer.string());
            let operation = word(&OPERATIONS, answer.byte());
            assert_eq!(answer.byte(), ALLOW, "{name}");
            rules.insert(Rule { resource, name: name.clone(), operation });
        }
    }
    rules
}

fn principal(user: &str) -> String {
    format!("User:{user}")
}

fn ask(bootstrap: &str, api: i16, body: &[u8]) -> Vec<u8> {
    let mut request = Vec::new();
    // Api key, version 1, correlation id 1, client id null.
    request.extend(api.to_be_bytes());
    request.extend([0, 1, 0, 0, 0, 1, 0xff, 0xff]);
    request.extend(body);
    let mut stream = TcpStream::connect(bootstrap).expect("the broker");
    stream.set_read_timeout(Some(DEADLINE)).expect("a time limit");
    stream.write_all(&(request.len() as i32).to_be_bytes()).expect("the request's length");
    stream.write_all(&request).expect("the request");
    let mut size = [0; 4];
    stream.read_exact(&mut size).expect("the answer's length");
    let size = i32::from_be_bytes(size) as usize;
    assert!((4..ANSWER_MAX).contains(&size), "an answer of {size} bytes");
    let mut answer = vec![0; size];
    stream.read_exact(&mut answer).expect("the answer");
    answer.split_off(4)
}

fn byte(out: &mut Vec<u8>, value: i8) {
    out.extend(value.to_be_bytes());
}

fn string(out: &mut Vec<u8>, text: &str) {
    out.extend((text.len() as i16).to_be_bytes());
    out.extend(text.as_bytes());
}

/// What is left of an answer.
struct Answer<'a>(&'a [u8]);

impl Answer<'_> {
    fn take<const N: usize>(&mut self) -> [u8; N] {
        let (head, rest) = self.0.split_first_chunk::<N>().expect("a whole answer");
        self.0 = rest;
        *head
    }

    fn byte(&mut self) -> i8 {
        i8::from_be_bytes(self.take())
    }

    fn short(&mut self) -> i16 {
        i16::from_be_bytes(self.take())
    }

    fn int(&mut self) -> i32 {
        i32::from_be_bytes(self.take())
    }

    /// Empty where it is null.
    fn string(&mut self) -> String {
        let length = usize::try_from(self.short()).unwrap_or(0);
        let (text, rest) = self.0.split_at(length);
        self.0 = rest;
        String::from_utf8_lossy(text).into_owned()
    }
}
