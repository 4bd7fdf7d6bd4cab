/**
 * Cases of the opening handshake whose subprotocols (RFC 6455, 4.1) or extensions (9.1) are no
 * lists as they should be. What becomes of a sound offer is not the handshake's syntax.
 */
import { EXTENSIONS_INVALID, SUBPROTOCOLS_INVALID } from "../../src/websocket/refusal.ts";
import { adding, group, type HandshakeGroup, type Row, refused } from "./handshake-case.ts";

function protocols(sentence: string, ...values: string[]): Row {
  return [sentence, adding(...values.map((value) => `Sec-WebSocket-Protocol: ${value}`))];
}

const TOKENS = "RFC 6455, 4.3: one or more tokens";
const UNIQUE = "RFC 6455, 4.1: all of them must be different";

const subprotocols: HandshakeGroup = group("R", "Subprotocols", [
  refused(400, SUBPROTOCOLS_INVALID, TOKENS, [
    protocols("nothing", ""),
    protocols("commas only", ", ,,"),
    protocols("nothing in two fields", "", ""),
    protocols("two words", "v1 chat"),
    protocols("a tab in one", "v1\tchat"),
    protocols("a slash", "chat/1"),
    protocols("an address", "https://chat.example/v1"),
    protocols("quotes", '"chat"'),
    protocols("a quote that is not closed", 'chat, "v1'),
    protocols("a parameter", "chat;v=1"),
    protocols("an equals sign", "v=1"),
    protocols("an at sign", "chat@1"),
    protocols("a colon", "urn:chat"),
    protocols("parentheses", "chat(1)"),
    protocols("brackets", "[chat]"),
    protocols("braces", "{chat}"),
    protocols("angle brackets", "<chat>"),
    protocols("a question mark", "chat?"),
    protocols("a backslash", "chat\\1"),
    protocols("UTF-8", "caf\xc3\xa9"),
    protocols("Latin-1", "caf\xe9"),
    protocols("a no-break space", "chat\xa0"),
    protocols("one that is wrong among others", "v1.chat, v 2, v3.chat"),
    protocols("one that is wrong in a second field", "v1.chat", "v/2"),
    protocols("semicolons for commas", "v1.chat; v2.chat"),
  ]),
  refused(400, SUBPROTOCOLS_INVALID, UNIQUE, [
    protocols("one twice", "chat, chat"),
    protocols("one twice, not side by side", "chat, other, chat"),
    protocols("one twice in two fields", "chat", "chat"),
    protocols("one twice with other blanks", "chat,\tchat "),
  ]),
]);

const GRAMMAR = "RFC 6455, 9.1: tokens with parameters; what is not so makes the handshake fail";
const QUOTED = "RFC 6455, 9.1: what is in quotes must be a token as well";

function extension(sentence: string, ...values: string[]): Row {
  return [sentence, adding(...values.map((value) => `Sec-WebSocket-Extensions: ${value}`))];
}

const extensions: HandshakeGroup = group("X", "Extensions", [
  refused(400, EXTENSIONS_INVALID, GRAMMAR, [
    extension("nothing", ""),
    extension("commas only", ", ,,"),
    extension("a semicolon only", ";"),
    extension("a semicolon in front", ";a"),
    extension("a semicolon behind", "permessage-deflate;"),
    extension("two semicolons", "permessage-deflate;;a"),
    extension("a semicolon and a comma", "permessage-deflate;, a"),
    extension("two words", "permessage deflate"),
    extension("two words in a parameter", "a; b c"),
    extension("a value for the extension", "permessage-deflate=15"),
    extension("a parameter without a name", "a; =15"),
    extension("a parameter with an empty value", "a; b="),
    extension("an empty value and another parameter", "a; b=; c"),
    extension("two equals signs", "a; b==15"),
    extension("two values", "a; b=1=2"),
    extension("two values with a space", "a; b=1 2"),
    extension("an extension in quotes", '"permessage-deflate"'),
    extension("a parameter's name in quotes", 'a; "b"=1'),
    extension("a slash", "permessage/deflate"),
    extension("a colon for an equals sign", "a; b: 15"),
    extension("braces", "{a}"),
    extension("a value in brackets", "a; b=[1]"),
    extension("UTF-8", "caf\xc3\xa9"),
    extension("Latin-1 in a value", "a; b=\xe9"),
    extension("a second field that is wrong", "permessage-deflate", "a; ="),
    extension("a wrong one behind a sound one", "permessage-deflate, a b"),
  ]),
  refused(400, EXTENSIONS_INVALID, QUOTED, [
    extension("an empty value in quotes", 'a; b=""'),
    extension("a quote that is not closed", 'a; b="c'),
    extension("a quote alone", 'a; b="'),
    extension("a quote that is closed only", 'a; b=c"'),
    extension("a space in quotes", 'a; b="c d"'),
    extension("a comma in quotes", 'a; b="c,d"'),
    extension("a semicolon in quotes", 'a; b="c;d"'),
    extension("an escaped quote", 'a; b="c\\"d"'),
    extension("an escaped space", 'a; b="c\\ d"'),
    extension("an escape that escapes nothing", 'a; b="c\\'),
    extension("letters behind the quotes", 'a; b="c"d'),
    extension("two values in quotes", 'a; b="c""d"'),
    extension("single quotes with a space", "a; b='c d'"),
  ]),
]);

export const listGroups: readonly HandshakeGroup[] = [subprotocols, extensions];
