/**
 * What a call of the admin API ends in: a reply, or a fault of the caller or of the moment.
 * Faults are returned like any other value; only our own bugs are thrown.
 */

/** An answer with a 2xx status (readiness and health aside). */
export class Reply {
  readonly status: number;
  readonly headers: Record<string, string>;
  /** An object becomes JSON; text is sent as it is, and its type is among the headers. */
  readonly body: object | string | undefined;

  constructor(status: number, headers: Record<string, string> = {}, body?: object | string) {
    this.status = status;
    this.headers = headers;
    this.body = body;
  }
}

/** An error as the caller sees it: `{"code","message","target"}`. */
export class Fault {
  readonly status: number;
  /** Stable, for programs. */
  readonly code: string;
  /** A sentence that says what is wrong and what to do. */
  readonly message: string;
  /** The parameter, header or setting that it is about. */
  readonly target: string | undefined;
  readonly headers: Record<string, string>;

  constructor(
    status: number,
    code: string,
    message: string,
    target?: string,
    headers: Record<string, string> = {},
  ) {
    this.status = status;
    this.code = code;
    this.message = message;
    this.target = target;
    this.headers = headers;
  }
}

export type Outcome = Reply | Fault;

export function notImplemented(what: string, target?: string): Fault {
  return new Fault(501, "NotImplemented", `${what} is not implemented yet.`, target);
}

/** For questions whose true answer a silent worker may hold. */
export const workersSilent = new Fault(
  503,
  "WorkersUnavailable",
  "Not every worker answered in time, so this cannot be known now; try again in a second.",
  undefined,
  { "retry-after": "1" },
);

/** The name that Amazon's SDKs know an error by, from its status. */
const amazonErrorTypes: Readonly<Record<number, string>> = {
  400: "BadRequestException",
  401: "UnauthorizedException",
  403: "ForbiddenException",
  404: "NotFoundException",
  405: "MethodNotAllowedException",
  410: "GoneException",
  413: "PayloadTooLargeException",
  501: "NotImplementedException",
  503: "ServiceUnavailableException",
};

/** One body for all; the header that names the error is Azure's or Amazon's. */
export function renderFault(fault: Fault, amazon: boolean): Reply {
  const { code, message, target } = fault;
  const type = amazonErrorTypes[fault.status] ?? "InternalServerErrorException";
  const naming = amazon ? { "x-amzn-errortype": type } : { "x-ms-error-code": code };
  return new Reply(fault.status, { ...fault.headers, ...naming }, { code, message, target });
}
