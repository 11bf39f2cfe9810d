// The words of the start page, in English.

export default {
  start: {
    what: 'Takes requests for callbacks, keeps them, and puts each before an agent who can call.',
    agent: 'Agent’s workspace',
    agent_hint: 'Offers, calls, notes, and the schedule.',
    as: 'as {name}',
    supervisor: 'Supervisor',
    supervisor_hint: 'Queues, agents, and why a callback waits.',
    lead: 'the supervisor',
    customer: 'Customer',
    customer_hint: 'Asks for a callback, now or later, by phone or video.',
    docs: 'API',
    docs_hint: 'What programs can ask for.',
    open: 'Open',
    demo: 'This is the demo: its agents answer by themselves, until you take the place of one.',
  },
};
