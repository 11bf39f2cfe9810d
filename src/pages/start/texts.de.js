// The words of the start page, in German.

export default {
  'start.what':
    'Nimmt Rückrufwünsche an, bewahrt sie auf und legt jeden einem Agenten vor, der anrufen kann.',
  'start.agent': 'Agentenplatz',
  'start.agent_hint': 'Angebote, Anrufe, Notizen und Termine.',
  'start.as': 'als {name}',
  'start.supervisor': 'Leitung',
  'start.supervisor_hint': 'Warteschlangen, Agenten, und warum ein Rückruf wartet.',
  'start.lead': 'Leitung',
  'start.customer': 'Kunde',
  'start.customer_hint': 'Wünscht einen Rückruf, jetzt oder später, per Telefon oder Video.',
  'start.docs': 'API',
  'start.docs_hint': 'Was Programme anfragen können.',
  'start.open': 'Öffnen',
  'start.demo':
    'Dies ist die Demo: Ihre Agenten antworten von selbst, bis Sie den Platz von einem einnehmen.',
};
