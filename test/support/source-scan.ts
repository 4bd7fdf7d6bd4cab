/**
 * Reads TypeScript as far as the architecture test needs it: what is code, what is comment or
 * string, and what a file imports. It is no parser: types and scopes mean nothing to it.
 */

export interface Import {
  /** As written; undefined where a dynamic import computes it. */
  specifier: string | undefined;
  line: number;
  /** `import type` and `export type`: gone at run time. */
  typeOnly: boolean;
}

export interface Scan {
  /** The text with comments blanked. */
  code: string;
  /** The text with comments and the insides of strings, templates and expressions blanked. */
  bare: string;
  imports: Import[];
  /** Nothing stands in it but imports and exports from elsewhere. */
  barrel: boolean;
}

export function scan(text: string): Scan {
  const { code, bare } = new Blanker(text).run();
  return { code, bare, imports: findImports(code, bare), barrel: isBarrel(bare) };
}

function lineOf(text: string, offset: number): number {
  return text.slice(0, offset).split("\n").length;
}

const TYPE = String.raw`(?<type>\s+type\b(?!\s+from\b|\s*,))?`;
const NAME = `["'](?<name>[^"']*)["']`;
const FROM = new RegExp(String.raw`\b(?:import|export)\b${TYPE}[^;"'()=]*?\bfrom\s*${NAME}`, "dg");
const BARE_IMPORT = new RegExp(String.raw`\bimport\s*${NAME}`, "dg");
const CALL = /(?<![.\w])(?:import|require)\s*\(\s*(?:["'`](?<name>[^"'`]*)["'`]\s*[,)])?/dg;

function findImports(code: string, bare: string): Import[] {
  return [FROM, BARE_IMPORT, CALL].flatMap((pattern) =>
    [...bare.matchAll(pattern)].map((match) => {
      const span = match.indices?.groups?.name;
      return {
        specifier: span === undefined ? undefined : code.slice(span[0], span[1]),
        line: lineOf(bare, match.index),
        typeOnly: match.groups?.type !== undefined,
      };
    }),
  );
}

function isBarrel(bare: string): boolean {
  const reexport = /\bexport\b[^;"'()=]*?\bfrom\s*["'][^"']*["'];?/g;
  const list = /\bexport\s+(?:type\s+)?\{[^}]*\};?/g;
  const imported = /\bimport\b[^;"'()=]*?(?:\bfrom\s*)?["'][^"']*["'];?/g;
  const exportsOnly = bare.replace(imported, "");
  const rest = exportsOnly.replace(reexport, "").replace(list, "");
  return exportsOnly.trim() !== "" && rest.trim() === "";
}

/** What may stand before a slash that begins a regular expression rather than divides. */
const BEFORE_EXPRESSION = /(?:^|[(,=:[!&|?{};+\-*%<>~^]|\b(?:return|typeof|case|in|of|void))\s*$/;

/** What changes how the text behind it is to be read. */
const TOKEN = new RegExp(
  [
    String.raw`//[^\n]*`,
    String.raw`/\*[\s\S]*?\*/`,
    String.raw`"(?:\\.|[^"\\\n])*"`,
    String.raw`'(?:\\.|[^'\\\n])*'`,
    "[`{}]",
    String.raw`/(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n[])+/`,
  ].join("|"),
  "g",
);
const TEMPLATE_TEXT = /(?:\\[\s\S]|\$(?!\{)|[^`$\\])*/y;

class Blanker {
  readonly #text: string;
  #code = "";
  #bare = "";
  #at = 0;
  /** Braces that are open in each substitution of a template that we are within. */
  readonly #depths: number[] = [];

  constructor(text: string) {
    this.#text = text;
  }

  run(): { code: string; bare: string } {
    for (;;) {
      TOKEN.lastIndex = this.#at;
      const match = TOKEN.exec(this.#text);
      if (match === null) break;
      this.#keep(match.index);
      this.#take(match[0], match.index + match[0].length);
    }
    this.#keep(this.#text.length);
    return { code: this.#code, bare: this.#bare };
  }

  #take(token: string, end: number): void {
    if (token.startsWith("//") || token.startsWith("/*")) this.#drop(end, true);
    else if (token === "`") {
      this.#keep(end);
      this.#template();
    } else if (token === "{" || token === "}") {
      this.#keep(end);
      this.#brace(token);
    } else if (token.startsWith("/") && !BEFORE_EXPRESSION.test(this.#bare.slice(-100))) {
      this.#keep(this.#at + 1);
    } else {
      this.#keep(this.#at + 1);
      this.#drop(end - 1, false);
      this.#keep(end);
    }
  }

  #brace(brace: string): void {
    const depth = this.#depths.pop();
    if (depth === undefined) return;
    if (brace === "}" && depth === 0) this.#template();
    else this.#depths.push(depth + (brace === "{" ? 1 : -1));
  }

  /** The text of a template up to its end, or to the substitution that follows. */
  #template(): void {
    TEMPLATE_TEXT.lastIndex = this.#at;
    this.#drop(this.#at + (TEMPLATE_TEXT.exec(this.#text)?.[0].length ?? 0), false);
    const ended = this.#text[this.#at] === "`";
    if (!ended) this.#depths.push(0);
    this.#keep(this.#at + (ended ? 1 : 2));
  }

  #keep(end: number): void {
    this.#code += this.#text.slice(this.#at, end);
    this.#bare += this.#text.slice(this.#at, end);
    this.#at = end;
  }

  #drop(end: number, alsoFromCode: boolean): void {
    const dropped = this.#text.slice(this.#at, end);
    const hidden = dropped.replace(/[^\n]/g, " ");
    this.#code += alsoFromCode ? hidden : dropped;
    this.#bare += hidden;
    this.#at = end;
  }
}
