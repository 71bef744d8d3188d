/** How much one request may ask for. Each is a wall against requests that cost the server more than their sender. */
export interface Limits {
  readonly filters: number;
  readonly logicDepth: number;
  readonly selectItems: number;
  readonly embeds: number;
  readonly embedDepth: number;
  readonly listElements: number;
  readonly jsonDepth: number;
}

export const defaultLimits: Limits = { filters: 100, logicDepth: 10, selectItems: 200, embeds: 20, embedDepth: 5, listElements: 1000, jsonDepth: 64 };
