"""Papers, cases and concepts for LangChain: retrievers, tools, a transformer, embeddings and a vector store."""
