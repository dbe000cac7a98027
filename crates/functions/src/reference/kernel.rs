//! The kernel cards of Okta exports, one by one, and what serves each here.
//!
//! Must never leave one out: an import meets them all.
//! Tests: `tests/reference.rs`.

/// What serves a kernel card.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Home {
    /// The function card of the same name. The fields of the export by key, `Group.Key` where they are in a group;
    /// `*` stands for those that the user names.
    Function {
        /// Its inputs.
        inputs: &'static str,
        /// Its outputs.
        outputs: &'static str,
    },
    /// A form of the flow itself.
    Flow(&'static str),
    /// An app.
    App(&'static str),
}

/// A kernel card.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kernel {
    /// Its name in exports.
    pub card: &'static str,
    /// Its title there.
    pub title: &'static str,
    /// What serves it.
    pub home: Home,
}

const fn function(card: &'static str, title: &'static str, inputs: &'static str, outputs: &'static str) -> Kernel {
    Kernel { card, title, home: Home::Function { inputs, outputs } }
}

const fn flow(card: &'static str, title: &'static str, form: &'static str) -> Kernel {
    Kernel { card, title, home: Home::Flow(form) }
}

/// Documented cards that no known export has and no function card serves, by their pages in Okta's function reference.
/// Paginate and Pause of the API Connector are not among them: only the Connector Builder offers those.
pub const DOCUMENTED: &[Kernel] = &[
    flow("list/find", "Find Custom", "`reduce` that asks until something is found"),
    flow("list/sort", "Sort Custom", "`map`, `list/sortBy` and `list/pluck`"),
    flow("object/each", "For Each", "`for_each` over `{key, value}`"),
    flow("object/process", "Map", "`reduce` over `{key, value}`"),
];

/// All kernel cards that are known from exports.
#[rustfmt::skip]
pub const KERNEL: &[Kernel] = &[
    function("boolean/and", "And", "a,b,*", "output"),
    function("boolean/compare", "Compare", "left-operand,operator,right-operand", "result"),
    function("boolean/or", "Or", "a,b,*", "output"),
    function("boolean/xor", "Or (Exclusive)", "a,b", "output"),
    function("control/assignIf", "Assign If", "left-operand,operator,right-operand,valueIfTrue,valueIfFalse", "output"),
    flow("control/branch", "If/ElseIf", "`else_if`"),
    flow("control/callable", "Helper Flow", "the flow's own `inputs`, `context`"),
    function("control/comment", "Comment", "", ""),
    flow("control/continueIf", "Continue If", "`continue_if`"),
    flow("control/if", "If/Else", "`if` with `then` and `else`"),
    flow("control/join", "Join", "`give` of the lanes of `if`"),
    function("control/let", "Assign", "*", "*"),
    function("control/lookup", "Lookup", "else,key,options.*", "result"),
    function("control/noop", "Noop", "", ""),
    flow("control/return", "Return", "`return`"),
    flow("control/returnRaw", "Return Raw", "`return_raw`"),
    flow("control/run", "Call Flow Async", "`call_flow_async`"),
    flow("control/spawn", "Call Flow", "`call_flow`"),
    flow("control/throw", "Return Error", "`return_error`"),
    flow("control/throwIf", "Return Error If", "`return_error` with `when`"),
    flow("control/times", "Repeat", "`times`"),
    flow("control/tryCatch", "If Error", "`try` with `catch`"),
    flow("control/until", "Wait Delay Duration", "`wait` until a time"),
    flow("control/wait", "Wait For", "`wait` for a duration"),
    function("crypto/hmac", "HMAC", "algorithm,key,data,digest", "output"),
    function("date/add", "Add", "start,scale,unit", "output"),
    function("date/diff", "Difference", "start,end", "days,months,years,hours,minutes,seconds,milliseconds"),
    function("date/epoch", "EPOCH", "start", "output"),
    function("date/format", "Date to Text", "start,format,zone", "output"),
    function("date/fromISO", "Convert", "start,format,zone", "date,iso,epoch,unix,human,custom"),
    function("date/iso", "ISO", "start", "output"),
    function("date/now", "Now", "", "date,iso,full,minute,hour,time,day,month,year,second,millisecond"),
    function("date/parse", "Text to Date", "start,format", "output"),
    function("date/subtract", "Subtract", "start,scale,unit", "output"),
    function("date/unix", "UNIX", "start", "output"),
    flow("http/accept", "API Endpoint", "the trigger `on` with `endpoint`"),
    flow("http/delegated", "Delegated Flow", "the trigger `on: delegated`"),
    Kernel { card: "http/raw", title: "Raw Request", home: Home::App("the app `http`") },
    function("json/parse", "Parse", "string", "output"),
    function("json/stringify", "Stringify", "object,*", "output"),
    function("jwt/sign", "Sign", "key,options.audience,options.issuer,options.expiresIn,options.jwtid,options.noTimestamp,options.header,options.notBefore,options.subject,options.algorithm,payload.*", "token"),
    flow("list/asyncEach", "For Each - Ignore Errors", "`for_each` that goes on at errors"),
    function("list/at", "At", "list,index", "item"),
    function("list/collapse", "Collapse", "list", "output"),
    function("list/concat", "Combine All", "list1,list2,*", "output"),
    function("list/construct", "Construct", "*", "list"),
    function("list/difference", "Difference", "list1,list2", "list"),
    flow("list/each", "For Each", "`for_each`"),
    flow("list/filter", "Filter Custom", "`filter`"),
    function("list/filterBy", "Filter", "list,operator,path,comparison", "list"),
    function("list/findBy", "Find", "list,operator,path,comparison", "item,index"),
    function("list/flatten", "Flatten", "lists", "list"),
    function("list/includes", "Includes", "list,value", "result"),
    function("list/intersection", "Intersection", "list1,list2", "list"),
    function("list/join", "List to Text", "list,delimiter", "string"),
    function("list/length", "Length", "list", "length"),
    flow("list/map", "Map", "`map`"),
    function("list/pluck", "Pluck", "list,key", "values"),
    function("list/pop", "Get Last Item", "list", "list,item"),
    function("list/push", "Add to End", "item,list", "list"),
    flow("list/reduce", "Reduce", "`reduce`"),
    function("list/sample", "Sample", "list,amount", "samples"),
    function("list/shift", "Get First Item", "list", "list,item"),
    function("list/sortBy", "Sort", "list,path", "sorted list"),
    function("list/union", "Union (Combine Unique)", "list1,list2,*", "union"),
    function("list/uniqueBy", "Remove Duplicates", "list,path", "unique list"),
    function("math/add", "Add", "a,b,*", "output"),
    function("math/ceil", "Round Up", "a", "output"),
    function("math/divide", "Divide", "a,b,decimals", "output,percentage"),
    function("math/expression", "Formula", "_text_,*", "output"),
    function("math/multiply", "Multiply", "a,b,*", "output"),
    function("math/random", "Random Integer", "a,b", "output"),
    function("math/round", "Round", "a", "output"),
    function("math/subtract", "Subtract", "a,b", "output"),
    function("object/clearEmpty", "Clear Empty", "object,recursive", "output"),
    function("object/construct", "Construct", "*", "output"),
    function("object/expand", "Expand", "object,*", "*"),
    function("object/get", "Get", "object,path", "output"),
    function("object/keys", "Keys", "object", "keys"),
    flow("object/map", "Map to List", "`map` over `{key, value}`"),
    function("object/merge", "Merge", "start,sink,*", "output"),
    function("object/pick", "Get Multiple", "object", "*"),
    function("object/set", "Set", "object,path,value", "output"),
    function("object/values", "Values", "object", "values"),
    function("string/base64", "Base64", "string", "output"),
    function("string/base64Decode", "Base64 Decode", "string", "output"),
    function("string/compose", "Compose", "_text_,*", "output"),
    function("string/concat", "Concatenate", "string1,string2,*", "output"),
    function("string/email", "Find Email", "string", "email"),
    function("string/find", "Find", "string,substr", "output"),
    function("string/lastIndexOf", "Find Last", "string,substr,index", "output"),
    function("string/length", "Length", "string", "length"),
    function("string/match", "Find Pattern", "string,target", "output"),
    function("string/random", "Random", "length", "output"),
    function("string/replace", "Replace", "string,src,dest,global,sensitive", "output"),
    function("string/replaceAny", "Replace Patterns", "text,replacement,global,case sensitive,patterns.*", "output"),
    function("string/split", "Split", "string,delimiter", "output"),
    function("string/substr", "Text Segment", "string,start,end", "output"),
    function("string/toLowerCase", "To Lower Case", "string", "output"),
    function("string/trim", "Trim", "string", "output"),
    function("url/encode", "Encode Query", "data", "output"),
    function("url/encodeComponent", "Encode Component", "string", "output"),
    function("utility/exportFlo", "Export Flow", "flo,pretty,indent", "output"),
];
