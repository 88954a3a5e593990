//! Names in every language that has a grammar, and texts made to be slow.

use super::*;

/// Reads the file, and returns how the word after the mark `§` stands (the mark is taken out).
fn marked<T>(language: Language, path: &str, marked: &str, told: impl Fn(&Stand<'_>) -> T) -> T {
    let at = marked.find('§').unwrap();
    let text = marked.replacen('§', "", 1);
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let end = text[at..].find(|c: char| !is_word(c)).map_or(text.len(), |n| at + n);
    let hits = std::slice::from_ref(&(at..end)).to_vec();
    told(&stands((language, path), &text, &hits, &mut Budget::default()).unwrap()[0])
}

/// Says in one line how the marked word stands.
fn stand(language: Language, path: &str, text: &str) -> String {
    marked(language, path, text, |stand| match stand {
        Stand::Code(name) => {
            let owner = name.owner.map(|o| format!(" of {o}")).unwrap_or_default();
            let test = if name.is_test { " test" } else { "" };
            let heir = if name.is_heir { " heir" } else { "" };
            let import = if name.import.is_some() { " import" } else { "" };
            format!("{:?}{owner}{test}{heir}{import}", name.how)
        }
        Stand::Apart => "apart".into(),
        Stand::Unclear => "unclear".into(),
    })
}

#[test]
fn names_of_rust_stand_as_its_grammar_says() {
    for (text, wanted) in [
        ("pub fn §walk() {}", "Defined"),
        ("impl Pool { pub async fn §get(&self) {} }", "Defined of Pool"),
        ("impl<T> Get for crate::Pool<T> { fn §get(&self) {} }", "Defined of Pool"),
        ("impl Get for §Pool {}", "Mentioned heir"),
        ("impl §Pool {}", "Mentioned"),
        ("mod limits { pub const §MAX: u8 = 3; }", "Defined of limits"),
        ("enum Door { §Open, Shut }", "Defined of Door"),
        ("struct Door { §width: u8 }", "Assigned of Door"),
        ("fn a() { let (mut §left, b) = (1, 2); }", "Assigned"),
        ("fn a() { pool.§get(1); }", "Called"),
        ("fn a() { Pool::§get(1); }", "Called"),
        ("fn a() { §vec![1]; }", "Called"),
        ("fn a(p: §Pool) {}", "Mentioned"),
        ("use crate::{\n  a::§Pool,\n};", "Mentioned import"),
        ("/* fn §gone() {} */ fn a() {}", "apart"),
        ("fn a() {} // fn §gone()", "apart"),
        ("fn a() -> &str { \"fn §gone() {}\" }", "apart"),
        ("fn a() -> &str { r#\"fn §gone() {}\"# }", "apart"),
        ("fn a() -> &str { \"§whole\" }", "Quoted"),
        ("fn a() -> &str { \"CREATE TABLE §keys (id)\" }", "unclear"),
        ("proptest! { #[test] fn §holds(x in 0..9) {} }", "unclear"),
        ("#[test]\nfn §holds() {}", "Defined test"),
        ("mod t { #[tokio::test]\n// why\n#[ignore]\nasync fn §holds() {} }", "Defined of t test"),
        ("#[test]\nfn other() {}\nfn §helps() {}", "Defined"),
        ("#[cfg(test)]\nfn §helps() {}", "Defined"),
        (") §x ( fn", "unclear"),
    ] {
        assert_eq!(stand(Language::Rust, "src/a.rs", text), wanted, "{text}");
    }
}

#[test]
fn names_of_python_stand_as_its_grammar_says() {
    for (text, wanted) in [
        ("def §walk(): pass", "Defined"),
        ("class Pool:\n  async def §get(self): pass", "Defined of Pool"),
        ("class §Pool(Base): pass", "Defined heir"),
        ("class Pool:\n  def a(self):\n    self.§size = 3", "Assigned of Pool"),
        ("class Pool:\n  §size: int = 3", "Assigned of Pool"),
        ("§MAX = 3", "Assigned"),
        ("pool.§get(1)", "Called"),
        ("f(§size=1)", "Mentioned"),
        ("def a():\n  \"\"\"def §gone(): pass\"\"\"", "apart"),
        ("x = 1 # def §gone()", "apart"),
        ("x = f'{§size}'", "Mentioned"),
        ("from .pool import §Pool", "Mentioned import"),
        ("def §test_holds(): pass", "Defined test"),
        ("def §check_holds(): pass", "Defined"),
    ] {
        assert_eq!(stand(Language::Python, "tests/test_a.py", text), wanted, "{text}");
    }
}

#[test]
fn names_of_javascript_and_typescript_stand_as_their_grammars_say() {
    for language in [Language::JavaScript, Language::TypeScript, Language::Tsx] {
        for (text, wanted) in [
            ("export function §walk() {}", "Defined test"),
            ("class Pool extends Base { async §get() {} }", "Defined of Pool test"),
            ("class §Pool extends Base {}", "Defined test heir"),
            ("const §get = (a) => a", "Assigned"),
            ("const pool = { §get() {} }", "Defined of pool test"),
            ("exports.§get = 3", "Assigned"),
            ("pool.§get(1)", "Called"),
            ("// function §gone() {}\nx()", "apart"),
            ("const a = 'function §gone() {}'", "apart"),
            ("const a = `${§size}`", "Mentioned"),
            ("import {\n  §Pool\n} from './pool'", "Mentioned import"),
            ("describe('pool', () => { it('§holds', () => {}) })", "Quoted test"),
            ("test.only(\"§holds\", f)", "Quoted test"),
            ("log(\"§holds\")", "Quoted"),
        ] {
            assert_eq!(stand(language, "a.test.js", text), wanted, "{language:?} {text}");
        }
    }
    for (text, wanted) in [
        ("export interface Pool { §get(): void }", "Defined of Pool test"),
        ("export type §Key = string", "Defined test"),
        ("enum Door { §Open, Shut = 2 }", "Defined of Door test"),
        ("abstract class A { private §size = 1 }", "Assigned of A"),
    ] {
        assert_eq!(stand(Language::TypeScript, "a.ts", text), wanted, "{text}");
    }
}

#[test]
fn names_of_go_java_and_c_stand_as_their_grammars_say() {
    for (text, wanted) in [
        ("package a\nfunc (p *Pool) §Get() {}", "Defined of Pool"),
        ("package a\ntype §Pool struct { size int }", "Defined"),
        ("package a\ntype §Pool struct { sync.Mutex }", "Defined heir"),
        ("package a\ntype Pool interface { §Get() }", "Defined of Pool"),
        ("package a\nfunc §TestHolds(t *testing.T) {}", "Defined test"),
        ("package a\nfunc §helps(t *testing.T) {}", "Defined"),
        ("package a\nfunc a() { t.Run(\"§holds\", f) }", "Quoted test"),
        ("package a\nfunc a() { x := p.§Get() }", "Called"),
        ("package a\nfunc a() { §x, y := p.Get() }", "Assigned"),
        ("package a\n// func §Gone()\n", "apart"),
    ] {
        assert_eq!(stand(Language::Go, "a_test.go", text), wanted, "{text}");
    }
    for (text, wanted) in [
        ("class Pool { int §get() { return 1; } }", "Defined of Pool"),
        ("class PoolTest { @Test void §holds() {} }", "Defined of PoolTest test"),
        ("class A { void a() { pool.§get(); } }", "Called"),
        ("record §Pool(int size) {}", "Defined"),
        ("/** int §gone() */ class A {}", "apart"),
    ] {
        assert_eq!(stand(Language::Java, "A.java", text), wanted, "{text}");
    }
    for (text, wanted) in [
        ("static int *§get(int a) { return 0; }", "Defined test"),
        ("struct §pool { int size; };", "Defined test"),
        ("struct pool { int §size; };", "Assigned of pool"),
        ("void a(struct §pool *p) {}", "Mentioned"),
        ("#define §MAX 3\n", "Defined test"),
        ("int a(void) { return §get(1); }", "Called"),
    ] {
        assert_eq!(stand(Language::C, "a.c", text), wanted, "{text}");
    }
}

#[test]
fn a_body_that_does_nothing_is_told() {
    let cases = [
        (Language::Rust, "fn §walk() {}", true),
        (Language::Rust, "fn §walk() -> u8 { todo!(\"later\") }", true),
        (Language::Rust, "fn §walk() {\n    // later\n}", true),
        (Language::Rust, "fn §walk() -> u8 { 3 }", false),
        (Language::Rust, "fn §walk() -> &'static str { \"pass\" }", false),
        (Language::Rust, "trait Walk { fn §walk(&self); }", false),
        (Language::Rust, "struct §Walk {}", false),
        (Language::Python, "def §walk():\n  \"\"\"Walks.\"\"\"\n  pass", true),
        (Language::Python, "def §walk():\n  raise NotImplementedError()", true),
        (Language::Python, "class A:\n  @abstractmethod\n  def §walk(self): ...", false),
        (Language::Python, "def §walk():\n  password = 3", false),
        (Language::JavaScript, "class A { §walk() {} }", true),
        (Language::JavaScript, "function §walk() { throw new Error('not implemented') }", true),
        (Language::JavaScript, "it('§walks', () => {})", true),
        (Language::JavaScript, "it('§walks', async () => { expect(1) })", false),
        (Language::Go, "package a\nfunc §walk() {}", true),
        (Language::Java, "class A { void §walk() {} }", true),
        (Language::C, "int §walk(void) {}", true),
        (Language::C, "int §walk(void);", false),
    ];
    for (language, text, wanted) in cases {
        let is_hollow = |stand: &Stand<'_>| matches!(stand, Stand::Code(name) if name.is_hollow);
        assert_eq!(marked(language, "a", text, is_hollow), wanted, "{text}");
    }
}

#[test]
fn many_names_of_one_file_are_each_told() {
    let text = "fn a() {}\n".repeat(2_000);
    let hits: Vec<Range<usize>> = (0..2_000).map(|n| n * 10 + 3..n * 10 + 4).collect();
    let found = stands((Language::Rust, "a.rs"), &text, &hits, &mut Budget::default()).unwrap();
    assert_eq!(found.len(), 2_000);
    assert!(found.iter().all(|s| matches!(s, Stand::Code(Name { how: How::Defined, .. }))));
}

#[test]
fn what_is_too_large_or_too_costly_is_not_parsed() {
    let large = "fn a() {}\n".repeat(FILE_MAX / 10 + 1);
    assert_eq!(stands((Language::Rust, "a.rs"), &large, &[], &mut Budget::default()), None);
    let mut spent = Budget { bytes: 3 };
    assert_eq!(stands((Language::Rust, "a.rs"), "fn a() {}", &[], &mut spent), None);
    // Each opening is scanned to the end of the file, and none is closed.
    let hostile = "r#\"".repeat(FILE_MAX / 3);
    assert_eq!(stands((Language::Rust, "a.rs"), &hostile, &[], &mut Budget::default()), None);
}

#[test]
fn hostile_texts_end_in_an_answer() {
    let seeds =
        ["(", "[[", "{\"", "/*", "`${", "'''", "f'{", "<a ", "=>", "r#\"", "\\\n", "@", "#[", "\u{feff}é", "\0"];
    for language in Language::ALL {
        for seed in seeds {
            let text = seed.repeat(20_000 / seed.len());
            let hits = [0..1, text.len() - 1..text.len()];
            if let Some(found) = stands((language, "a"), &text, &hits, &mut Budget::default()) {
                assert_eq!(found.len(), 2);
            }
        }
    }
}
