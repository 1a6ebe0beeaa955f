//! The words of the tables, in the languages of the pages.

use crate::rows::Row;

/// One language.
#[derive(Debug)]
pub struct Words {
    /// Over the rows.
    pub measure: &'static str,
    /// Over the limit program's figures.
    pub limit: &'static str,
    /// Over how many times better than Supervisor Upkeep is.
    pub ahead: &'static str,
    /// Over how many times worse than the limit Upkeep is.
    pub behind: &'static str,
    /// Over the targets.
    pub target: &'static str,
    /// A target that is not reached.
    pub no: &'static str,
    /// Over the smaller of two sizes.
    pub from: &'static str,
    /// Over the larger of two sizes.
    pub to: &'static str,
    /// Before a unit.
    pub comma: &'static str,
    /// What the second table shows.
    pub powers: &'static str,
    /// A row's name.
    pub title: fn(&Row) -> &'static str,
}

/// English.
pub const ENGLISH: Words = Words {
    measure: "measure",
    limit: "limit",
    ahead: "ahead of Supervisor",
    behind: "behind the limit",
    target: "target",
    no: "**no**",
    from: "from",
    to: "to",
    comma: ", ",
    powers: "Growth from one N to the next, as the power of N (0: the same, 1: in proportion, 2: quadratic):",
    title: |row| row.title,
};

/// Chinese.
pub const CHINESE: Words = Words {
    measure: "项目",
    limit: "下限",
    ahead: "领先 Supervisor",
    behind: "落后下限",
    target: "目标",
    no: "**未达到**",
    from: "从",
    to: "到",
    comma: "，",
    powers: "从一个 N 到下一个 N 的增长，按 N 的几次方（0：不变，1：成比例，2：平方）：",
    title: |row| row.chinese,
};
