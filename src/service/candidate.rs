pub fn names_differ(a: &str, b: &str) -> bool {
    a != b
}
