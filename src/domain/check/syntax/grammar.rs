//! What each language calls the things that we ask about: one table of tree-sitter node kinds and field names.
//!
//! It must not walk a tree. Names of nodes are those of each grammar's `node-types.json`; a test holds the table
//! against them.

/// A language with a grammar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::domain::check) enum Language {
    Rust,
    Python,
    JavaScript,
    TypeScript,
    Tsx,
    Go,
    Java,
    C,
}

/// A node's kind and the field of it that a name stands in.
pub(super) type Slot = (&'static str, &'static str);

/// What one grammar calls things.
pub(super) struct Grammar {
    /// Where a name is defined.
    pub defines: &'static [Slot],
    /// Where a name is given a value or a type.
    pub gives: &'static [Slot],
    /// What owns the names inside it: a type, a module.
    pub owns: &'static [Slot],
    /// Children of a definition that say that it has more members than stand in it.
    pub heirs: &'static [&'static str],
}

impl Language {
    #[cfg(test)]
    pub(super) const ALL: [Language; 8] = [
        Language::Rust,
        Language::Python,
        Language::JavaScript,
        Language::TypeScript,
        Language::Tsx,
        Language::Go,
        Language::Java,
        Language::C,
    ];

    /// Returns the language of a file by its ending; `None` if there is no grammar for it.
    pub(in crate::domain::check) fn of(path: &str) -> Option<Self> {
        let (_, ending) = path.rsplit_once('.')?;
        match ending {
            "rs" => Some(Language::Rust),
            "py" | "pyi" => Some(Language::Python),
            "js" | "jsx" | "mjs" | "cjs" => Some(Language::JavaScript),
            "ts" | "mts" | "cts" => Some(Language::TypeScript),
            "tsx" => Some(Language::Tsx),
            "go" => Some(Language::Go),
            "java" => Some(Language::Java),
            "c" | "h" => Some(Language::C),
            _ => None,
        }
    }

    /// Returns its parser's tables.
    pub(super) fn tables(self) -> tree_sitter::Language {
        match self {
            Language::Rust => tree_sitter_rust::LANGUAGE,
            Language::Python => tree_sitter_python::LANGUAGE,
            Language::JavaScript => tree_sitter_javascript::LANGUAGE,
            Language::TypeScript => tree_sitter_typescript::LANGUAGE_TYPESCRIPT,
            Language::Tsx => tree_sitter_typescript::LANGUAGE_TSX,
            Language::Go => tree_sitter_go::LANGUAGE,
            Language::Java => tree_sitter_java::LANGUAGE,
            Language::C => tree_sitter_c::LANGUAGE,
        }
        .into()
    }

    /// Returns what its grammar calls things.
    pub(super) fn grammar(self) -> &'static Grammar {
        match self {
            Language::Rust => &RUST,
            Language::Python => &PYTHON,
            Language::JavaScript => &JAVASCRIPT,
            Language::TypeScript | Language::Tsx => &TYPESCRIPT,
            Language::Go => &GO,
            Language::Java => &JAVA,
            Language::C => &C,
        }
    }
}

const RUST: Grammar = Grammar {
    defines: &[
        ("function_item", "name"),
        ("function_signature_item", "name"),
        ("struct_item", "name"),
        ("enum_item", "name"),
        ("union_item", "name"),
        ("type_item", "name"),
        ("trait_item", "name"),
        ("mod_item", "name"),
        ("const_item", "name"),
        ("static_item", "name"),
        ("macro_definition", "name"),
        ("enum_variant", "name"),
        ("associated_type", "name"),
        ("use_as_clause", "alias"),
    ],
    gives: &[
        ("field_declaration", "name"),
        ("let_declaration", "pattern"),
        ("parameter", "pattern"),
        ("const_parameter", "name"),
        ("type_parameter", "name"),
        ("for_expression", "pattern"),
    ],
    owns: &[
        ("impl_item", "type"),
        ("trait_item", "name"),
        ("mod_item", "name"),
        ("enum_item", "name"),
        ("struct_item", "name"),
        ("union_item", "name"),
    ],
    heirs: &["trait", "bounds"],
};

const PYTHON: Grammar = Grammar {
    defines: &[("function_definition", "name"), ("class_definition", "name"), ("type_alias_statement", "left")],
    gives: &[
        ("assignment", "left"),
        ("named_expression", "name"),
        ("default_parameter", "name"),
        ("typed_default_parameter", "name"),
        ("typed_parameter", ""),
        ("parameters", ""),
        ("for_statement", "left"),
        ("aliased_import", "alias"),
    ],
    owns: &[("class_definition", "name")],
    heirs: &["superclasses"],
};

const JAVASCRIPT: Grammar = Grammar {
    defines: &[
        ("function_declaration", "name"),
        ("generator_function_declaration", "name"),
        ("function_expression", "name"),
        ("generator_function", "name"),
        ("class_declaration", "name"),
        ("class", "name"),
        ("method_definition", "name"),
    ],
    gives: &[
        ("variable_declarator", "name"),
        ("field_definition", "property"),
        ("pair", "key"),
        ("assignment_expression", "left"),
        ("formal_parameters", ""),
        ("assignment_pattern", "left"),
        ("export_specifier", "alias"),
        ("arrow_function", "parameter"),
    ],
    owns: &[("class_declaration", "name"), ("class", "name"), ("variable_declarator", "name")],
    heirs: &["class_heritage"],
};

const TYPESCRIPT: Grammar = Grammar {
    defines: &[
        ("function_declaration", "name"),
        ("generator_function_declaration", "name"),
        ("function_expression", "name"),
        ("generator_function", "name"),
        ("function_signature", "name"),
        ("class_declaration", "name"),
        ("abstract_class_declaration", "name"),
        ("class", "name"),
        ("method_definition", "name"),
        ("method_signature", "name"),
        ("abstract_method_signature", "name"),
        ("interface_declaration", "name"),
        ("type_alias_declaration", "name"),
        ("enum_declaration", "name"),
        ("enum_assignment", "name"),
        ("enum_body", "name"),
        ("internal_module", "name"),
        ("module", "name"),
    ],
    gives: &[
        ("variable_declarator", "name"),
        ("public_field_definition", "name"),
        ("property_signature", "name"),
        ("pair", "key"),
        ("assignment_expression", "left"),
        ("required_parameter", "pattern"),
        ("optional_parameter", "pattern"),
        ("type_parameter", "name"),
        ("assignment_pattern", "left"),
        ("export_specifier", "alias"),
        ("arrow_function", "parameter"),
    ],
    owns: &[
        ("class_declaration", "name"),
        ("abstract_class_declaration", "name"),
        ("class", "name"),
        ("interface_declaration", "name"),
        ("type_alias_declaration", "name"),
        ("enum_declaration", "name"),
        ("internal_module", "name"),
        ("module", "name"),
        ("variable_declarator", "name"),
    ],
    heirs: &["class_heritage", "extends_type_clause"],
};

const GO: Grammar = Grammar {
    defines: &[
        ("function_declaration", "name"),
        ("method_declaration", "name"),
        ("method_elem", "name"),
        ("type_spec", "name"),
        ("type_alias", "name"),
        ("const_spec", "name"),
        ("package_clause", ""),
    ],
    gives: &[
        ("var_spec", "name"),
        ("field_declaration", "name"),
        ("short_var_declaration", "left"),
        ("parameter_declaration", "name"),
        ("variadic_parameter_declaration", "name"),
        ("type_parameter_declaration", "name"),
        ("range_clause", "left"),
    ],
    owns: &[("method_declaration", "receiver"), ("type_spec", "name")],
    // An embedded field has no name: it is looked for in the type itself.
    heirs: &[],
};

const JAVA: Grammar = Grammar {
    defines: &[
        ("class_declaration", "name"),
        ("interface_declaration", "name"),
        ("enum_declaration", "name"),
        ("record_declaration", "name"),
        ("annotation_type_declaration", "name"),
        ("annotation_type_element_declaration", "name"),
        ("method_declaration", "name"),
        ("constructor_declaration", "name"),
        ("compact_constructor_declaration", "name"),
        ("enum_constant", "name"),
        ("module_declaration", "name"),
    ],
    gives: &[("variable_declarator", "name"), ("formal_parameter", "name"), ("type_parameter", "")],
    owns: &[
        ("class_declaration", "name"),
        ("interface_declaration", "name"),
        ("enum_declaration", "name"),
        ("record_declaration", "name"),
        ("annotation_type_declaration", "name"),
    ],
    heirs: &["superclass", "interfaces", "extends_interfaces"],
};

const C: Grammar = Grammar {
    defines: &[
        ("function_definition", "declarator"),
        ("declaration", "declarator"),
        ("struct_specifier", "name"),
        ("union_specifier", "name"),
        ("enum_specifier", "name"),
        ("enumerator", "name"),
        ("type_definition", "declarator"),
        ("preproc_def", "name"),
        ("preproc_function_def", "name"),
    ],
    gives: &[
        ("field_declaration", "declarator"),
        ("init_declarator", "declarator"),
        ("parameter_declaration", "declarator"),
    ],
    owns: &[("struct_specifier", "name"), ("union_specifier", "name"), ("enum_specifier", "name")],
    heirs: &[],
};

/// Nodes that a name may stand in before it reaches its slot: patterns, and the last part of a path.
pub(super) fn is_around(kind: &str, field: &str) -> bool {
    const ANY: [&str; 14] = [
        "tuple_pattern",
        "mut_pattern",
        "ref_pattern",
        "slice_pattern",
        "tuple_struct_pattern",
        "pattern_list",
        "list_pattern",
        "object_pattern",
        "array_pattern",
        "expression_list",
        "parenthesized_declarator",
        "pointer_declarator",
        "array_declarator",
        "rest_pattern",
    ];
    const LAST: [Slot; 11] = [
        ("scoped_type_identifier", "name"),
        ("generic_type", "type"),
        ("scoped_identifier", "name"),
        ("field_expression", "field"),
        ("member_expression", "property"),
        ("attribute", "attribute"),
        ("selector_expression", "field"),
        ("generic_function", "function"),
        ("function_declarator", "declarator"),
        ("pair_pattern", "value"),
        ("parenthesized_expression", ""),
    ];
    ANY.contains(&kind) || LAST.contains(&(kind, field))
}

/// Slots that hold what is called.
pub(super) const CALLS: [Slot; 4] = [
    ("call_expression", "function"),
    ("call", "function"),
    ("method_invocation", "name"),
    ("macro_invocation", "macro"),
];

/// Statements that name what another file defines.
pub(super) const IMPORTS: [&str; 6] = [
    "use_declaration",
    "import_statement",
    "import_from_statement",
    "import_declaration",
    "preproc_include",
    "extern_crate_declaration",
];

/// Words that open a test or a group of tests when they are called with a name, before any `.only` or `.each`.
pub(super) const TESTING: [&str; 9] = ["it", "test", "describe", "suite", "context", "specify", "bench", "Deno", "Run"];

/// Tells how a node's kind holds text rather than code.
pub(super) fn is_string(kind: &str) -> bool {
    const STRINGS: [&str; 13] = [
        "string",
        "string_literal",
        "raw_string_literal",
        "interpreted_string_literal",
        "template_string",
        "concatenated_string",
        "char_literal",
        "character_literal",
        "rune_literal",
        "system_lib_string",
        "text_block",
        "jsx_text",
        "regex",
    ];
    STRINGS.contains(&kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_of_the_table_is_one_of_its_grammar() {
        for language in Language::ALL {
            let (tables, grammar) = (language.tables(), language.grammar());
            for (kind, field) in grammar.defines.iter().chain(grammar.gives).chain(grammar.owns) {
                assert!(tables.id_for_node_kind(kind, true) != 0, "{language:?} has no {kind}");
                assert!(field.is_empty() || tables.field_id_for_name(field).is_some(), "{language:?} has no .{field}");
            }
            for name in grammar.heirs {
                let is_known = tables.field_id_for_name(name).is_some() || tables.id_for_node_kind(name, true) != 0;
                assert!(is_known, "{language:?} has no {name}");
            }
        }
    }
}
