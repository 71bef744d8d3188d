import { apiUrlOf, overruled, standsInForPostgrest, type SettingError, type Settings } from '@mainstay/config';
import { defaultLimits, type Limits, type QualifiedName, type RestOptions } from '@mainstay/dialect';

/** The options that the operator's settings give. */
export type RestTerms = Omit<RestOptions, 'limits'> & Partial<Pick<RestOptions, 'limits'>>;

/** Where the terms come from: settings, which the database may overrule while we run. */
export interface TermsSource {
  /** Function to call before settings are read from the database; null reads without, undefined reads none. */
  readonly preConfig: QualifiedName | null | undefined;
  readonly channel: string;
  /** The terms that hold when the database says this: names as in `ALTER ROLE … SET pgrst.db_schemas`, without `pgrst.`. */
  readonly termsOf: (said: Readonly<Record<string, string>>) => RestTerms;
}

/**
 * The terms of the given settings and of what the database says. `onSettings` hears of all settings together whenever they
 * are read, since others than the data API live by them as well: who may come in, from which origins.
 */
export function termsSource(settings: Settings, { onSettings = () => {}, onRefused = () => {} }: { readonly onSettings?: (settings: Settings) => void; readonly onRefused?: (error: SettingError) => void } = {}): TermsSource {
  return {
    preConfig: settings.dbConfig ? qualifiedName(settings.dbPreConfig) : undefined,
    channel: settings.dbChannel,
    termsOf: (said) => {
      const all = overruled(settings, said, onRefused);
      onSettings(all);
      return restTermsOf(all);
    },
  };
}

/** The options of the data API as the settings say them. */
export function restTermsOf(settings: Settings): RestTerms {
  return {
    schemas: settings.dbSchemas,
    extraSearchPath: settings.dbExtraSearchPath,
    maxRows: settings.dbMaxRows === 0 ? null : settings.dbMaxRows,
    areAggregatesAllowed: settings.dbAggregatesEnabled,
    aggregateCostLimit: settings.aggregateCostLimit === 0 ? null : settings.aggregateCostLimit,
    arePlansAllowed: settings.dbPlanEnabled,
    preRequest: qualifiedName(settings.dbPreRequest),
    transactionEnd: settings.dbTxEnd.startsWith('rollback') ? 'rollback' : 'commit',
    whoChoosesTx: settings.dbTxEnd.endsWith('-allow-override') ? 'everybody' : standsInForPostgrest(settings) ? 'nobody' : 'service',
    guestRole: settings.dbAnonRole,
    hoistedSettings: settings.dbHoistedTxSettings,
    appSettings: Object.fromEntries(Object.entries(settings.appSettings).map(([name, value]) => [`app.settings.${name}`, value])),
    isTimingShown: settings.isTimingShown,
    filterNeededFor: settings.filterNeededFor,
    description: {
      mode: settings.openapiMode,
      readers: settings.openapiReaders,
      isSecurityActive: settings.openapiSecurityActive,
      rootSpec: settings.dbRootSpec === '' ? null : settings.dbRootSpec,
      url: settings.openapiServerProxyUri ?? apiUrlOf(settings) + settings.restPath,
    },
    limits: limitsOf(settings),
  };
}

function limitsOf(settings: Settings): Limits {
  return {
    filters: settings.maxFilters,
    logicDepth: settings.maxLogicDepth,
    selectItems: settings.maxSelectItems,
    embeds: settings.maxEmbeds,
    embedDepth: settings.maxEmbedDepth,
    listElements: settings.maxListElements,
    jsonDepth: settings.maxJsonDepth,
  };
}

/** The options whole. */
export function optionsOf(terms: RestTerms): RestOptions {
  return { ...terms, limits: terms.limits ?? defaultLimits };
}

function qualifiedName(text: string | null): QualifiedName | null {
  if (text === null || text === '') return null;
  const dot = text.indexOf('.');
  return dot === -1 ? { schema: '', name: text } : { schema: text.slice(0, dot), name: text.slice(dot + 1) };
}
