/** Every carrier that the contract suite runs over: a new one is one more row. */
import type { Carrier } from "./carrier.test.helper.ts";
import { httpCarriers } from "./http-carriers.test.helper.ts";
import { linkCarrier } from "./link-carrier.test.helper.ts";
import { natsCarriers } from "./nats-carriers.test.helper.ts";

export const carriers: readonly Carrier[] = [...httpCarriers, linkCarrier, ...natsCarriers];
