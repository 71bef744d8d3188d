import { askJson } from '../api.ts';
import type { Schedule } from '../contracts.ts';
import { useLive } from '../live.ts';
import { links } from '../route.ts';
import { StateBadge } from '../ui/badge.tsx';
import { Icon } from '../ui/icons.tsx';
import { Moment } from '../ui/moment.tsx';
import { ProblemNotice } from '../ui/notice.tsx';
import { useNow } from '../ui/now.ts';
import { Empty, Page } from '../ui/page.tsx';
import { SkeletonRows, TableFrame } from '../ui/table-frame.tsx';
import { Tag } from '../ui/tag.tsx';
import { ahead, moment } from '../words.ts';
import { cronInWords, targetInWords } from './describe-schedule.ts';
import { ScheduleActions } from './schedule-actions.tsx';

/** What the clock sets going. */
export function SchedulesPage() {
  const { value, problem, reload } = useLive('schedules', (signal) => askJson<readonly Schedule[]>('/schedules/v1?limit=200', { signal }), () => 4000);
  const make = (
    <a className="button button-primary" href={links.schedule('new')}>
      <Icon name="plus" />
      New schedule
    </a>
  );
  return (
    <Page title="Schedules" lead="What happens by the clock: once for each time, on any number of workers, in a time zone of your choice." isWide actions={make}>
      {problem === null ? null : <ProblemNotice problem={problem} />}
      {value === null && problem !== null ? null : value?.length === 0 ? (
        <Empty title="Nothing happens by the clock yet" action={make}>
          A schedule calls a function of the database, runs SQL, or calls a URL. What cron.schedule made in SQL appears here too.
        </Empty>
      ) : (
        <TableFrame label="Schedules" isBusy={value === null}>
          <table className="table">
            <thead>
              <tr>
                <th scope="col">Name</th>
                <th scope="col">When</th>
                <th scope="col">Next run</th>
                <th scope="col">Last run</th>
                <th scope="col"><span className="visually-hidden">Actions</span></th>
              </tr>
            </thead>
            {value === null ? <SkeletonRows columns={5} rows={4} /> : <tbody>{value.map((schedule) => <ScheduleRow key={schedule.id} schedule={schedule} reload={reload} />)}</tbody>}
          </table>
        </TableFrame>
      )}
    </Page>
  );
}

function ScheduleRow({ schedule, reload }: { schedule: Schedule; reload: () => void }) {
  const now = useNow();
  const { cron, time_zone: zone, next_run_at: next, last_run: last } = schedule;
  return (
    <tr>
      <th scope="row">
        <a href={links.schedule(schedule.id)}>{schedule.name}</a>
        <span className="second-line cut" title={targetInWords(schedule)}>{targetInWords(schedule)}</span>
      </th>
      <td>
        <span className="one-line cut" title={cronInWords(cron) ?? cron}>{cronInWords(cron) ?? <code>{cron}</code>}</span>
        <span className="second-line">{zone}</span>
      </td>
      <td>
        {schedule.is_paused ? <Tag tone="warn" title="It is not run until it is resumed.">paused</Tag> : schedule.trouble !== null ? <Tag tone="bad" title={schedule.trouble}>stands still</Tag> : next === null ? <span className="muted">–</span> : (
          <time dateTime={next} title={moment(next)}>{ahead(next, now)}</time>
        )}
      </td>
      <td>
        {last === null ? <span className="muted">never</span> : (
          <>
            <StateBadge state={last.state} /> <Moment time={last.finished_at ?? last.slot} />
          </>
        )}
      </td>
      <td className="actions"><ScheduleActions schedule={schedule} reload={reload} isSmall /></td>
    </tr>
  );
}
