"""Papers, cases and concepts for LangChain: retrievers, tools, embeddings and a vector store."""
