// The words of the start page, in English.

export default {
  'start.what':
    'Takes requests for callbacks, keeps them, and puts each before an agent who can call.',
  'start.agent': 'Agent’s workspace',
  'start.agent_hint': 'Offers, calls, notes, and the schedule.',
  'start.as': 'as {name}',
  'start.supervisor': 'Supervisor',
  'start.supervisor_hint': 'Queues, agents, and why a callback waits.',
  'start.lead': 'the supervisor',
  'start.customer': 'Customer',
  'start.customer_hint': 'Asks for a callback, now or later, by phone or video.',
  'start.docs': 'API',
  'start.docs_hint': 'What programs can ask for.',
  'start.open': 'Open',
  'start.demo':
    'This is the demo: its agents answer by themselves, until you take the place of one.',
};
