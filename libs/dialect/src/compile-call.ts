import { returningList } from './compile-write.ts';
import type { CallPlan } from './plan.ts';
import { returnsScalar, type Parameter } from './schema-cache.ts';
import { arrayLiteral, quoteName, quoteQualified, type Values } from './sql.ts';

/** The column of a function's result that is no row. */
export const scalarName = 'pgrst_scalar';
const callName = 'pgrst_call';
const argsName = 'pgrst_args';

/** Writes the query that calls a function and gives its rows. */
export function callSql(plan: CallPlan, values: Values): string {
  const { from, list } = argumentsSql(plan.args, values);
  const call = `${quoteQualified(plan.routine)}(${list})`;
  const comma = from === '' ? '' : `${from}, lateral `;
  if (returnsScalar(plan.routine)) return `select ${callName}.${scalarName} from ${comma}(select ${call} as ${scalarName}) as ${callName}`;
  return `select ${returningList(plan.returning, callName)} from ${comma}${call} as ${callName}`;
}

/** The argument list, and what stands before the call for it. Values keep the types of the parameters, by name. */
function argumentsSql(args: CallPlan['args'], values: Values): { from: string; list: string } {
  switch (args.kind) {
    case 'none':
      return { from: '', list: '' };
    case 'whole':
      return { from: '', list: `${values.bind(args.text)}::${args.parameter.type}` };
    case 'direct':
      return { from: '', list: args.values.map(({ parameter, values: given }) => named(parameter, `${values.bind(directValue(parameter, given))}::${parameter.readType}`)).join(', ') };
    case 'json': {
      const definitions = args.parameters.map(({ name, readType }) => `${quoteName(name)} ${readType}`).join(', ');
      const json = `${values.bind(args.body.text)}::json`;
      const rows = args.body.isObject ? `json_to_record(${json}) as ${argsName}(${definitions})` : `(select * from json_to_recordset(${json}) as r(${definitions}) limit 1) as ${argsName}`;
      return { from: rows, list: args.parameters.map((parameter) => named(parameter, `${argsName}.${quoteName(parameter.name)}`)).join(', ') };
    }
  }
}

function named({ name, isVariadic }: Parameter, value: string): string {
  return `${isVariadic ? 'variadic ' : ''}${quoteName(name)} := ${value}`;
}

/** A variadic parameter takes all the values given under its name, any other the last. */
function directValue({ isVariadic }: Parameter, given: readonly string[]): string {
  return isVariadic ? arrayLiteral(given) : given.at(-1)!;
}
