/**
 * Accounts and users as NATS has them without passwords: an operator's and an account's tokens
 * for the server's configuration, and a credentials file for a user. All keys are made anew.
 */
import { nkeys } from "@nats-io/transport-node";

type KeyPair = ReturnType<typeof nkeys.createUser>;

export interface NatsAccounts {
  /** Of the server. */
  configuration: string;
  /** The text of a user's credentials file. */
  credentials: string;
}

export function makeNatsAccounts(): NatsAccounts {
  const operator = nkeys.createOperator();
  const account = nkeys.createAccount();
  const user = nkeys.createUser();
  const limits = { subs: -1, data: -1, payload: -1 };
  const open = { imports: -1, exports: -1, wildcards: true, conn: -1, leaf: -1 };
  const operatorToken = sign(operator, operator, { type: "operator", version: 2 });
  const accountLimits = { type: "account", version: 2, limits: { ...limits, ...open } };
  const accountToken = sign(operator, account, accountLimits);
  const userToken = sign(account, user, { type: "user", version: 2, ...limits });
  const seed = Buffer.from(user.getSeed()).toString();
  return {
    configuration: [
      `operator: ${operatorToken}`,
      "resolver: MEMORY",
      `resolver_preload: { ${account.getPublicKey()}: ${accountToken} }`,
    ].join("\n"),
    credentials: `${block("NATS USER JWT", userToken)}\n${block("USER NKEY SEED", seed)}`,
  };
}

/** A token of NATS: a JSON Web Token that is signed with an Ed25519 key. */
function sign(issuer: KeyPair, subject: KeyPair, nats: object): string {
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const iat = Math.floor(Date.now() / 1000);
  const sub = subject.getPublicKey();
  const claims = { jti: sub, iat, iss: issuer.getPublicKey(), name: "test", sub, nats };
  const signed = `${encode({ typ: "JWT", alg: "ed25519-nkey" })}.${encode(claims)}`;
  return `${signed}.${Buffer.from(issuer.sign(Buffer.from(signed))).toString("base64url")}`;
}

function block(title: string, text: string): string {
  return `-----BEGIN ${title}-----\n${text}\n------END ${title}------\n`;
}
