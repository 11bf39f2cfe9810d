// The words of the start page, in German.

export default {
  start: {
    what:
      'Nimmt Rückrufwünsche an, bewahrt sie auf und legt sie Agenten vor, die anrufen können.',
    agent: 'Agentenplatz',
    agent_hint: 'Angebote, Anrufe, Notizen und Termine.',
    as: 'als {name}',
    supervisor: 'Leitung',
    supervisor_hint: 'Warteschlangen, Agenten, und warum ein Rückruf wartet.',
    lead: 'Leitung',
    customer: 'Kunde',
    customer_hint: 'Wünscht einen Rückruf, jetzt oder später, per Telefon oder Video.',
    docs: 'API',
    docs_hint: 'Was Programme anfragen können.',
    open: 'Öffnen',
    demo:
      'Dies ist die Demo: Ihre Agenten antworten von selbst, bis Sie einen Platz einnehmen.',
  },
};
